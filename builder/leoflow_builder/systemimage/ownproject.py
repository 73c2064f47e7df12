"""What the control plane depends on, as a project that can be locked and installed like a DAG's.

The lock is shipped with leoflow, so that a release makes the same image everywhere.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path

from leoflow_builder.lock import LOCK_NAME, Lock, lock_problem, read_lock
from leoflow_builder.project import SETTINGS_FILE, Project
from leoflow_builder.requirement import name_of
from leoflow_builder.said import SaidProject
from leoflow_builder.yamlplace import YamlFile

PYTHON_VERSION = "3.13"
EXTRAS = ("kubernetes", "postgresql")
# Only making images takes them, and the image makes none: they are 36 MB of it.
FOR_BUILDING_ONLY = frozenset(
    {"cyclonedx-python-lib", "pathspec", "pex", "python-on-whales", "uv", "zstandard"}
)
SHIPPED = Path(__file__).parent


def shipped_lock() -> Lock:
    """Return the lock that came with this leoflow; ProjectError if it is not there."""
    lock = read_lock(SHIPPED)
    if lock is None:
        raise lock_problem("leoflow came without the lock of its own image. Install it again")
    return lock


def server_project(folder: Path) -> Project:
    """Put a copy of the shipped lock into ``folder``, and return the project that it locks."""
    lock = shipped_lock()
    shutil.copyfile(SHIPPED / LOCK_NAME, folder / LOCK_NAME)
    return project_for(folder, lock.requirements)


def project_for(folder: Path, requirements: Iterable[str]) -> Project:
    """Return the control plane as a project without files of its own."""
    settings = SaidProject(python_version=PYTHON_VERSION, dependencies=tuple(requirements))
    return Project(folder, "", settings, YamlFile(SETTINGS_FILE, None))


def wanted_requirements(pyproject: str) -> tuple[str, ...]:
    """Return what the image needs of what leoflow's pyproject.toml, given as text, lists."""
    listed = tomllib.loads(pyproject)["project"]
    extras = [one for extra in EXTRAS for one in listed["optional-dependencies"][extra]]
    wanted = [*listed["dependencies"], *extras]
    return tuple(one for one in wanted if name_of(one) not in FOR_BUILDING_ONLY)
