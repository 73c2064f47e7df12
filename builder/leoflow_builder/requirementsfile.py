"""Reads requirements files as pip writes them, and refuses by line what could not be honoured.

It knows text and lines; whether a requirement can be satisfied is the resolver's matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leoflow_builder.problem import Problem

_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASH = re.compile(r"\s--hash(?:=|\s+)(\w+):([0-9A-Fa-f]+)")
_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(\S.*)")
# Options with which nothing is lost: leoflow takes wheels only, and checks every hash.
_KEPT_ANYWAY = ("--only-binary", "--prefer-binary", "--require-hashes")
_INDEX = "indexes come from pip's own settings, so that the project names none: `pip config set`"
_REFUSED = {
    "-e": "leoflow installs wheels only: build one, and point pip's find-links at it",
    "--editable": "leoflow installs wheels only: build one, and point pip's find-links at it",
    "-i": _INDEX,
    "--index-url": _INDEX,
    "--extra-index-url": _INDEX,
    "--no-index": _INDEX,
    "-f": _INDEX,
    "--find-links": _INDEX,
    "--trusted-host": _INDEX,
    "--no-binary": "leoflow installs wheels only: remove it",
    "--pre": "allow a pre-release by its version, such as 'tool>=2.0rc1'",
}


@dataclass(frozen=True)
class WrittenRequirement:
    """A requirement and where it is written: ``file`` is as named, relative to the project."""

    text: str
    file: str
    line: int
    hashes: frozenset[str] = frozenset()


@dataclass
class RequirementsFile:
    """What was read, of all files together. ``lines`` is what counts in them, in its order."""

    requirements: list[WrittenRequirement] = field(default_factory=list)
    constraints: list[WrittenRequirement] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def read_requirements(folder: Path, name: str) -> RequirementsFile:
    """Read a requirements file and all that it includes; ``name`` is relative to ``folder``."""
    found = RequirementsFile()
    _read(folder, name, False, found, ())
    return found


def _read(
    folder: Path, name: str, constraint: bool, found: RequirementsFile, above: tuple[str, ...]
) -> None:
    try:
        text = (folder / name).read_text(encoding="utf-8-sig")
    except OSError as error:
        found.problems.append(Problem(name, None, f"cannot be read: {error.strerror}"))
        return
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start}): save it as UTF-8"
        found.problems.append(Problem(name, None, message))
        return
    for number, line in logical_lines(text):
        found.lines.append(line)
        included = _INCLUDE.fullmatch(line)
        if included:
            inner = _beside(name, included.group(2).strip())
            limits = constraint or included.group(1) in ("-c", "--constraint")
            if inner in (*above, name):
                found.problems.append(Problem(name, number, f"'{inner}' includes itself"))
            elif "://" in included.group(2):
                message = "a file is included from the network: copy it into the project"
                found.problems.append(Problem(name, number, message))
            else:
                _read(folder, inner, limits, found, (*above, name))
        elif line.startswith("-"):
            found.problems += _refusal(line, name, number)
        else:
            _take(line, name, number, constraint, found)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, joined where they are continued, with their numbers."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if not parts:
            first = number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line[:-1])
            continue
        whole = _COMMENT.sub("", " ".join([*parts, "" if is_comment else line])).strip()
        parts = []
        if whole:
            yield first, re.sub(r"\s+", " ", whole)


def _beside(name: str, included: str) -> str:
    return os.path.normpath(Path(Path(name).parent, included)).replace(os.sep, "/")


def _refusal(line: str, name: str, number: int) -> list[Problem]:
    option = re.split(r"[\s=]", line, maxsplit=1)[0]
    if option in _KEPT_ANYWAY:
        return []
    short = next((one for one in _REFUSED if len(one) == 2 and option.startswith(one)), None)
    known = option if option in _REFUSED else short if not option.startswith("--") else None
    fix = _REFUSED[known] if known else "leoflow does not know this option: remove it"
    return [Problem(name, number, f"'{option}' cannot be honoured: {fix}")]


def _take(line: str, name: str, number: int, constraint: bool, found: RequirementsFile) -> None:
    hashes = _HASH.findall(f" {line}")
    text = _HASH.sub("", f" {line}").strip()
    option = re.search(r"\s(--?[A-Za-z][\w-]*)", text)
    if option:
        message = f"'{option.group(1)}' cannot be honoured behind a requirement: remove it"
        found.problems.append(Problem(name, number, message))
        return
    others = [kind for kind, _ in hashes if kind != "sha256"]
    if others and len(others) == len(hashes):
        message = f"a hash by '{others[0]}' is not enough: add one by sha256"
        found.problems.append(Problem(name, number, message))
        return
    digests = frozenset(value.lower() for kind, value in hashes if kind == "sha256")
    (found.constraints if constraint else found.requirements).append(
        WrittenRequirement(text, name, number, digests)
    )
