"""Who is compared: the commands by which each makes an image of the project, and where to.

It starts nothing; the commands are those that a person would type.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.build.process import Command

Target = Literal["engine", "layout", "registry"]
TARGETS: tuple[Target, ...] = ("engine", "layout", "registry")
RIVALS = ("docker-pip", "docker-uv", "docker-uv-no-bytecode")
LOCKING_RIVALS = ("docker-uv",)
OURS = ("leoflow-oci", "leoflow-buildkit")
LOCKING = "+lock"
PUSHING = "+push"


@dataclass(frozen=True)
class Place:
    """Where one contender works: its copy of the project, its output, its reference."""

    folder: Path
    layout: Path
    reference: str
    index_url: str


@dataclass(frozen=True)
class Contender:
    """A tool and a target. ``name`` is a tool of RIVALS or OURS, perhaps with a suffix.

    `+lock`: the lock is made within the time. `+push`: a build and a `docker push` after it.
    """

    name: str
    target: Target

    @property
    def tool(self) -> str:
        """The name without what is done besides."""
        return self.name.partition("+")[0]

    @property
    def is_ours(self) -> bool:
        """Whether it is leoflow."""
        return self.tool in OURS

    @property
    def locks(self) -> bool:
        """Whether making the lock is part of what is measured."""
        return self.name.endswith(LOCKING)

    @property
    def pushes_after(self) -> bool:
        """Whether the image is built first and pushed by a second command."""
        return self.name.endswith(PUSHING)

    def commands(self, place: Place) -> list[Command]:
        """Return what is measured, in order."""
        made = self._ours(place) if self.is_ours else self._rival(place)
        return [*self._lock(place), *made] if self.locks else made

    def _lock(self, place: Place) -> list[Command]:
        if self.is_ours:
            return [leoflow("lock", str(place.folder))]
        source, target = place.folder / "requirements.in", place.folder / "requirements.lock"
        command = [host_uv() or "uv", "pip", "compile", "--quiet", "--generate-hashes"]
        command += ["--upgrade", "--python-version", "3.11", "--index-url", place.index_url]
        # The comment at the head is the salt that other locks carry, too.
        command += ["--custom-compile-command", (place.folder / "salt").read_text("ascii")]
        return [[*command, str(source), "--output-file", str(target)]]

    def _ours(self, place: Place) -> list[Command]:
        builder = self.tool.removeprefix("leoflow-")
        options: dict[Target, list[str]] = {
            "engine": [],
            "layout": ["--output", str(place.layout)],
            "registry": ["--push", "--tag", place.reference],
        }
        return [leoflow("build", str(place.folder), "--builder", builder, *options[self.target])]

    def _rival(self, place: Place) -> list[Command]:
        dockerfile = place.folder / f"Dockerfile.{self.tool.removeprefix('docker-')}"
        command = ["docker", "buildx", "build", "--network", "host", "--provenance=false"]
        command += ["--build-arg", f"INDEX_URL={place.index_url}", "--tag", place.reference]
        command += ["--file", str(dockerfile)]
        if self.pushes_after:
            return [[*command, str(place.folder)], ["docker", "push", "--quiet", place.reference]]
        options: dict[Target, list[str]] = {
            "engine": ["--load"],
            "layout": ["--output", f"type=oci,tar=false,dest={place.layout}"],
            "registry": ["--push"],
        }
        return [[*command, *options[self.target], str(place.folder)]]


def leoflow(*arguments: str) -> list[str]:
    """Return a call of the `leoflow` of this Python's environment."""
    return [str(Path(sys.executable).with_name("leoflow")), *arguments]


def host_uv() -> str | None:
    """Return the host's uv, of this Python's environment or on PATH."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def why_not(contender: Contender, build_help: str) -> str | None:
    """Say what a contender lacks here, judged by `leoflow build --help`; None if it can run."""
    if not contender.is_ours:
        lacks_uv = contender.locks and host_uv() is None
        return "there is no uv on this host to make the lock" if lacks_uv else None
    builder = contender.tool.removeprefix("leoflow-")
    wanted = {"engine": builder, "layout": "--output", "registry": "--push"}
    for word in (builder, wanted[contender.target]):
        if word not in build_help:
            return f"this leoflow has no '{word}'"
    if builder == "buildkit" and contender.target != "engine":
        return "the builder 'buildkit' is compared by what it loads into the engine"
    return None


def field(
    target: Target, rivals: Sequence[str], ours: Sequence[str], locking: bool
) -> list[Contender]:
    """Return all who take part for a target; ``locking`` adds those who make their lock."""
    entered = [Contender(name, target) for name in (*rivals, *ours)]
    if locking and target == "engine":
        lockers = [name for name in rivals if name in LOCKING_RIVALS]
        entered += [Contender(name + LOCKING, target) for name in (*lockers, *ours)]
    if target == "registry":
        entered += [Contender(name + PUSHING, target) for name in rivals]
    return entered
