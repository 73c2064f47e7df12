"""DAG projects that run as processes of this machine: what is prepared, and how it is started.

For the subprocess executor, which itself knows no projects.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import leoflow_agent
from leoflow_builder.failure import BuildError
from leoflow_builder.host import prepare_host
from leoflow_builder.prepare import Environment
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.hostproject import HostProject

PROJECTS_VARIABLE = "LEOFLOW_SUBPROCESS_PROJECTS"


def host_project(folder: Path, environment: Environment) -> HostProject:
    """Say how the agent is started on a project whose dependencies are prepared."""
    agent = Path(leoflow_agent.__file__).with_name("__main__.py")
    variables = {"LEOFLOW_DAG_FOLDER": str(folder)}
    for site in environment.site_path:
        variables["LEOFLOW_SITE_FOLDER"] = str(site)
    if environment.has_pth:
        variables["LEOFLOW_SITE_HAS_PTH"] = "1"
    return HostProject((sys.executable, "-I", "-S", str(agent)), folder, variables)


class HostFolders:
    """The projects of a server that runs subprocesses: one folder for each dag_id, in ``place``.

    What runs is the code that is there now, whatever version of the DAG a run has. ``find`` is
    what the executor asks; it prepares the dependencies anew when the project asks for others.
    """

    def __init__(self, place: Path, home: Path, say: Callable[[str], None]) -> None:
        self._place = place
        self._home = home
        self._say = say
        self._lock = threading.Lock()
        self._found: dict[str, tuple[tuple[float, ...], HostProject]] = {}

    def refusal(self, dag_id: str) -> str | None:
        """Say why a DAG cannot run here, for whoever pushes it; None if it can."""
        folder = self._place / dag_id
        if folder.is_dir() and dag_id == folder.name and dag_id != "..":
            return None
        return (
            f"this server runs tasks as subprocesses, from project folders and not from images, "
            f"and DAG '{dag_id}' has none: '{folder}' is no folder. Put the project there (a link "
            f"will do), set {PROJECTS_VARIABLE} to where it is, or use --executor docker."
        )

    def find(self, dag_id: str) -> HostProject:
        """Give the code of a DAG; LaunchFailed if there is none or it cannot be prepared."""
        if (reason := self.refusal(dag_id)) is not None:
            raise LaunchFailed(reason, transient=False)
        folder = (self._place / dag_id).resolve()
        with self._lock:
            wishes = _changes(folder)
            known = self._found.get(dag_id)
            if known is not None and known[0] == wishes:
                return known[1]
            try:
                environment = prepare_host(load_project(folder), self._home, self._say)
            except (BuildError, ProjectError, OSError) as error:
                reason = f"'{folder}' cannot be run: {error}"
                raise LaunchFailed(reason, transient=False) from error
            found = host_project(folder, environment)
            # Preparing may have written the lock.
            self._found[dag_id] = (_changes(folder), found)
            return found


def _changes(folder: Path) -> tuple[float, ...]:
    files = (folder / "leoflow.yaml", folder / "leoflow.lock")
    return tuple(file.stat().st_mtime if file.exists() else 0.0 for file in files)
