"""What is wrong with a project, as values: found all over the builder, printed by the CLI only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing to fix. ``file`` is relative to the project; lines and columns count from 1."""

    file: str
    line: int | None
    message: str
    column: int | None = None

    def __str__(self) -> str:
        place = [self.file, self.line, self.column if self.line is not None else None]
        return ":".join(str(part) for part in place if part is not None) + f": {self.message}"


class ProjectError(Exception):
    """A project cannot be built; ``problems`` are all that were found, never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return each problem once, sorted by where it is."""
    return sorted(dict.fromkeys(problems), key=_position)


def _position(problem: Problem) -> tuple[str, int, int, str]:
    return problem.file, problem.line or 0, problem.column or 0, problem.message


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean '…'?" if one of ``known`` is close to ``name``, else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def count(number: int, noun: str) -> str:
    """Return "1 package", "2 packages" or "2 dependencies"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
