"""The seam to the programs that find and unpack wheels: what leoflow asks of any of them.

It starts nothing. Two programs stand behind it, uv and pex, which pass the same contract tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from leoflow_builder.lock import LockedPackage
from leoflow_builder.resolvefailure import ResolveFailure
from leoflow_builder.target import Target


@dataclass(frozen=True)
class Wanted:
    """What is to be resolved.

    ``preferred`` are versions to keep where they satisfy, by normalised name. ``hashes`` are the
    only files that a package may be, SHA-256 in hexadecimal; a package without an entry may be any.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    preferred: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Unresolvable(Exception):
    """The wheels could not be had; ``failure`` says why."""

    def __init__(self, failure: ResolveFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class WheelTool(Protocol):
    """A program that asks the indexes of pip's settings."""

    def resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        """Return the wheels that satisfy what is wanted on a target; Unresolvable if none do."""
        ...

    def unpack(self, packages: Sequence[LockedPackage], target: Target, folder: Path) -> None:
        """Unpack exactly these wheels flat into a new folder, as copies that may be changed.

        What belongs to the prefix lies beside the packages: `bin`, `share`. Unresolvable if a
        wheel is not to be had any more, or has another hash.
        """
        ...


def pinned_requirements(packages: Sequence[LockedPackage]) -> str:
    """Return a requirements file that allows exactly these wheels, checked by their hashes."""
    lines = [f"{one.name}=={one.version} --hash=sha256:{one.sha256}\n" for one in packages]
    return "".join(lines)
