"""What a project depends on, wherever it is written: leoflow.yaml, or a file that it names.

Reads files and nothing else. Versions that a file has fixed are taken from it, not resolved anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leoflow_builder.dependencyname import kind_of, split_extras
from leoflow_builder.lock import LockedPackage, LockedSource
from leoflow_builder.problem import Problem, ProjectError, did_you_mean
from leoflow_builder.project import SETTINGS_FILE, Project
from leoflow_builder.target import Target

Fixed = Callable[[Target], Sequence[LockedPackage]]
# Named in this order where none of them is used.
_USUAL = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml")


@dataclass(frozen=True)
class Dependencies:
    """What a project depends on.

    ``fixed`` gives the exact wheels for a target where the file has chosen them; ProjectError if
    it has none for it. ``places`` are where the requirements are written, in their order.
    """

    requirements: tuple[str, ...] = ()
    places: tuple[Problem, ...] = ()
    source: LockedSource | None = None
    constraints: tuple[str, ...] = ()
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fixed: Fixed | None = None

    def problem(self, message: str, name: str | None) -> Problem:
        """Return a problem that points at the requirement of a name, or at all of them."""
        from leoflow_builder.requirement import name_of

        names = [name_of(one) for one in self.requirements] if name else []
        place = self.places[names.index(name)] if name in names else self._whole()
        return Problem(place.file, place.line, message, place.column)

    def _whole(self) -> Problem:
        return (
            self.places[-1]
            if len(self.places) > len(self.requirements)
            else Problem(self.source.file if self.source else SETTINGS_FILE, None, "")
        )


def read_dependencies(project: Project) -> Dependencies:
    """Return what a project depends on; ProjectError, with file and line, for what is wrong."""
    name = project.dependencies_from
    if name is None:
        return _listed(project)
    path, extras = split_extras(name)
    if not (project.folder / path).is_file():
        message = f"'{path}' is not there. Write its path from the project folder"
        raise ProjectError([project.problem(message, "dependencies_from")])
    kind = kind_of(name)
    if kind == "requirements":
        return _from_requirements(project, path)
    if kind == "pyproject":
        return _from_pyproject(project, path, extras, name)
    from leoflow_builder.fixedfile import read_pylock, read_uvlock

    read = read_pylock if kind == "pylock" else read_uvlock
    text = _text(project.folder, path)
    return Dependencies(
        source=LockedSource(name, _digest([text])),
        fixed=lambda target: read(project.folder / path, path, target),
    )


def unused_file(project: Project) -> str | None:
    """Say that a file with dependencies lies in a project and is not used, or return None."""
    if project.dependencies_from is not None or project.dependencies:
        return None
    for name in _USUAL:
        if (project.folder / name).is_file() and _says_something(project.folder / name):
            return (
                f"{name} is not used: write `dependencies_from: {name}` in {SETTINGS_FILE} to "
                "install what it names"
            )
    return None


def _says_something(path: Path) -> bool:
    """Leave out a pyproject.toml that holds the settings of tools only."""
    if path.name != "pyproject.toml":
        return True
    import tomllib

    try:
        return bool(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["dependencies"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _listed(project: Project) -> Dependencies:
    indices = range(len(project.dependencies))
    places = [project.problem("", "dependencies", index) for index in indices]
    return Dependencies(project.dependencies, (*places, project.problem("", "dependencies")))


def _from_requirements(project: Project, path: str) -> Dependencies:
    from leoflow_builder.requirement import name_of
    from leoflow_builder.requirementsfile import read_requirements

    found = read_requirements(project.folder, path)
    problems = list(found.problems)
    for one in (*found.requirements, *found.constraints):
        wrong = _wrong_requirement(one.text)
        if wrong:
            problems.append(Problem(one.file, one.line, wrong))
    if problems:
        raise ProjectError(problems)
    hashes: dict[str, frozenset[str]] = {}
    for one in (*found.requirements, *found.constraints):
        if one.hashes:
            name = name_of(one.text)
            hashes[name] = hashes.get(name, frozenset()) | one.hashes
    return Dependencies(
        requirements=tuple(one.text for one in found.requirements),
        places=tuple(Problem(one.file, one.line, "") for one in found.requirements),
        source=LockedSource(path, _digest(found.lines)),
        constraints=tuple(one.text for one in found.constraints),
        hashes=hashes,
    )


def _wrong_requirement(text: str) -> str | None:
    from leoflow_builder.settings import check_requirement

    try:
        check_requirement(text)
    except ValueError as error:
        return str(error)
    return None


def _from_pyproject(project: Project, path: str, extras: Iterable[str], name: str) -> Dependencies:
    import tomllib

    text = _text(project.folder, path)
    try:
        table = tomllib.loads(text).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise ProjectError([Problem(path, None, f"is not TOML: {error}")]) from None
    listed = [*_texts(table, "dependencies", path, text)]
    optional = table.get("optional-dependencies", {})
    for extra in extras:
        if extra not in optional:
            known = did_you_mean(extra, optional) or f" Known are {', '.join(optional) or 'none'}."
            message = f"'{path}' has no extra '{extra}'.{known}"
            raise ProjectError([project.problem(message, "dependencies_from")])
        listed += _texts(optional, extra, path, text)
    if "dependencies" in table.get("dynamic", ()):
        message = "its dependencies are dynamic, so only a build could tell them: list them here"
        raise ProjectError([Problem(path, _line_of(text, "dynamic"), message)])
    problems = [
        Problem(path, _line_of(text, one), wrong)
        for one in listed
        if (wrong := _wrong_requirement(one))
    ]
    if problems:
        raise ProjectError(problems)
    places = tuple(Problem(path, _line_of(text, one), "") for one in listed)
    return Dependencies(tuple(listed), places, LockedSource(name, _digest(sorted(listed))))


def _texts(table: Mapping[str, Any], key: str, path: str, text: str) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ProjectError(
            [Problem(path, _line_of(text, key), f"'{key}' has to be a list of texts")]
        )
    return value


def _line_of(text: str, words: str) -> int | None:
    """Find where a value is written; TOML's reader keeps no lines."""
    quoted = (f'"{words}"', f"'{words}'", json.dumps(words), words)
    lines = text.splitlines()
    for word in quoted:
        found = next((number for number, line in enumerate(lines, 1) if word in line), None)
        if found:
            return found
    return None


def _text(folder: Path, path: str) -> str:
    try:
        return (folder / path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start}): save it as UTF-8"
        raise ProjectError([Problem(path, None, message)]) from None
    except OSError as error:
        raise ProjectError([Problem(path, None, f"cannot be read: {error.strerror}")]) from None


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
