"""What changes between two builds of a project, and how a project is written.

It measures nothing. No change is ever made twice, in this run or another: a tool that has seen a
project before would be asked for less.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, count
from pathlib import Path
from typing import Literal

from benchmarks.build.contender import Contender, Place, leoflow
from benchmarks.build.process import Shell
from benchmarks.build.wheelhouse import (
    FILLERS,
    PANDAS,
    REQUESTS,
    Variant,
    requirements_lock,
)

Name = Literal["noop", "code", "requests", "pandas"]
NAMES: tuple[Name, ...] = ("noop", "code", "requests", "pandas")
WITH_NEW_LOCK: tuple[Name, ...] = ("requests", "pandas")
SOURCE = Path(__file__).with_name("project")
CODE = SOURCE / "dag.py.in"
SETTINGS = """\
dag_id: rates
python_version: "3.11"
defaults:
  resources:
    requests: {cpu: 100m, memory: 256Mi}
  execution_timeout_seconds: 300
"""


@dataclass(frozen=True)
class Workshop:
    """What all projects of a run share: wheels, a shell for what is not timed, the run's salt."""

    wheels: Path
    shell: Shell
    salt: str


class Deck:
    """Deals variants of the lock in one scenario, each once.

    Contenders with caches in common draw from one deck. Of two in a row, the package that the
    scenario is named after differs; so does which of seven small packages are there, since two
    versions alone would soon repeat.
    """

    def __init__(self, scenario: Name) -> None:
        self._scenario = scenario
        sizes = range(len(FILLERS))  # all of them at once are for warming
        chosen = [one for size in sizes for one in combinations(FILLERS, size)][1:]
        # The scenarios share caches, so each has its own half.
        self._fillers = iter(chosen[::2] if scenario == "pandas" else chosen[1::2])

    def deal(self, number: int) -> Variant:
        """Return a new variant for the round ``number``, which decides between two versions."""
        fillers = next(self._fillers)
        if self._scenario == "pandas":
            return Variant(pandas=PANDAS[number % 2], fillers=fillers)
        return Variant(requests=REQUESTS[number % 2], fillers=fillers)


_revisions = count(1)


def write_project(folder: Path, with_dockerfiles: bool) -> None:
    """Write a contender's copy of the project, without dependencies and locks."""
    shutil.rmtree(folder, ignore_errors=True)
    ignored = None if with_dockerfiles else shutil.ignore_patterns("Dockerfile.*")
    shutil.copytree(SOURCE, folder, ignore=ignored)
    (folder / CODE.name).rename(folder / "dag.py")


def change_code(folder: Path, salt: str) -> None:
    """Change one line of dag.py to what it never was."""
    text = CODE.read_text(encoding="utf-8")
    revision = f'REVISION = "{salt}-{next(_revisions)}"'
    (folder / "dag.py").write_text(text.replace('REVISION = "0"', revision), encoding="utf-8")


def write_settings(folder: Path, requirements: Sequence[str]) -> None:
    """Write leoflow.yaml with these dependencies."""
    text = f"{SETTINGS}dependencies: {json.dumps(list(requirements))}\n"
    (folder / "leoflow.yaml").write_text(text, encoding="utf-8")


def change_lock(contender: Contender, place: Place, variant: Variant, shop: Workshop) -> None:
    """Write the dependencies, and the lock as well unless making it is to be measured."""
    write_settings(place.folder, variant.requirements)
    if contender.is_ours and not contender.locks:
        shop.shell.run(leoflow("lock", str(place.folder)))
    if contender.is_ours:
        return
    requirements = "".join(f"{one}\n" for one in variant.requirements)
    (place.folder / "requirements.in").write_text(requirements, encoding="utf-8")
    (place.folder / "salt").write_text(shop.salt, encoding="ascii")
    if not contender.locks:
        text = requirements_lock(variant, shop.wheels, shop.salt)
        (place.folder / "requirements.lock").write_text(text, encoding="utf-8")
