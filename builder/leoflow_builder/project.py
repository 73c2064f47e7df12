"""A project folder as a value: its settings, checked, and the file that holds its DAG.

Reads files and nothing else: no user code runs here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.said import OWN_IMAGE_KEYS, SaidProject, said_project
from leoflow_builder.yamlplace import YamlFile, as_record, from_record

if TYPE_CHECKING:
    from leoflow_builder.drawing import Drawing

SETTINGS_FILE = "leoflow.yaml"
ENTRIES = ("dag.py", "dag.yaml")


@dataclass(frozen=True)
class Project:
    """A project. ``dag_id`` is None if only the DAG can tell it; DagSpec.dag_id always is it.

    ``drawing`` is the DAG of a dag.yaml; None for one in Python, which has yet to be read.
    ``entry`` is "" if there is no DAG in the folder: then it has to be in a ready image.
    """

    folder: Path
    entry: str
    settings: SaidProject
    file: YamlFile
    drawing: Drawing | None = None

    @property
    def dag_id(self) -> str | None:
        if self.settings.dag_id is None and self.drawing is not None:
            return self.drawing.dag_id
        return self.settings.dag_id

    @property
    def python_version(self) -> str:
        return self.settings.python_version

    @property
    def dependencies(self) -> tuple[str, ...]:
        return self.settings.dependencies

    @property
    def dependencies_from(self) -> str | None:
        return self.settings.dependencies_from

    @property
    def system_packages(self) -> tuple[str, ...]:
        return self.settings.system_packages

    @property
    def environment(self) -> Mapping[str, str]:
        return self.settings.environment

    @property
    def own_image(self) -> tuple[str, str] | None:
        """The key that names an image of the user's own, and its value; None for leoflow's base."""
        named = ((key, getattr(self.settings, key)) for key in OWN_IMAGE_KEYS)
        return next(((key, value) for key, value in named if value is not None), None)

    @property
    def base_image(self) -> str | None:
        return self.settings.base_image

    def line_of(self, *path: str | int) -> int | None:
        """Return the line of leoflow.yaml for ("dependencies", 0); None if it is not written."""
        position = self.file.positions.get(path)
        return position[0] if position else None

    def problem(self, message: str, *path: str | int) -> Problem:
        """Return a problem that points at ``path`` in leoflow.yaml."""
        line, column = self.file.positions.get(path, (None, None))
        return Problem(SETTINGS_FILE, line, message, column)


class InvalidProject(ProjectError):
    """A project's files are wrong. ``readable`` is the project if its code can be read all the
    same, to find what is wrong there too."""

    def __init__(self, problems: Sequence[Problem], readable: Project | None) -> None:
        super().__init__(problems)
        self.readable = readable


@dataclass
class _Findings:
    """``blind``: what the code runs on is not known, so reading it would only mislead."""

    problems: list[Problem] = field(default_factory=list)
    blind: bool = False

    def text(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            message = f"is not UTF-8 text (byte {error.start}): save it as UTF-8"
            self.problems.append(Problem(path.name, None, message))
        except OSError as error:
            self.problems.append(Problem(path.name, None, f"cannot be read: {error.strerror}"))
        return ""


def load_project(folder: Path, memo: Memo = FORGETFUL) -> Project:
    """Read and check all that can be known of a project without running its code.

    Raises InvalidProject with every problem at once. What ``memo`` knows is not checked again.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        message = "is not a folder. Name the folder with dag.py; `leoflow init DIR` makes one"
        raise InvalidProject([Problem(str(folder), None, message)], None)
    findings = _Findings()
    file, settings = _read_settings(folder, findings, memo)
    _check_names(folder, findings)
    entry = _find_entry(folder, settings, file, findings)
    drawing = None
    if entry and not entry.endswith(".py"):
        from leoflow_builder.dagyaml import read_dag_yaml

        drawing, problems = read_dag_yaml(findings.text(folder / entry), entry)
        findings.problems += problems
    if entry is None:
        raise InvalidProject(findings.problems, None)
    project = Project(folder, entry, settings, file, drawing)
    if findings.problems:
        raise InvalidProject(findings.problems, None if findings.blind else project)
    return project


def _read_settings(folder: Path, findings: _Findings, memo: Memo) -> tuple[YamlFile, SaidProject]:
    path = folder / SETTINGS_FILE
    misspelt = folder / "leoflow.yml"
    if not path.exists():
        if misspelt.exists():
            findings.problems.append(Problem(misspelt.name, None, f"rename it to {SETTINGS_FILE}"))
        return YamlFile(SETTINGS_FILE, None), SaidProject()
    text = findings.text(path)
    findings.blind = bool(findings.problems)
    known = memo.recall("settings", text)
    if known is not None:
        return from_record(SETTINGS_FILE, known["file"]), said_project(known["settings"])
    from leoflow_builder.settingsfile import read_settings

    read = read_settings(text, SETTINGS_FILE)
    findings.problems += read.problems
    findings.blind = findings.blind or read.blind
    if not findings.problems:
        memo.keep("settings", text, {"file": as_record(read.file), "settings": read.settings})
    return read.file, said_project(read.settings)


def _check_names(folder: Path, findings: _Findings) -> None:
    for name in ("leoflow", "leoflow_agent"):
        for path in (folder / f"{name}.py", folder / name / "__init__.py"):
            if path.exists():
                message = f"hides leoflow's own package '{name}': rename it"
                found = path.relative_to(folder).as_posix()
                findings.problems.append(Problem(found, None, message))
                findings.blind = True


def _find_entry(
    folder: Path, settings: SaidProject, file: YamlFile, findings: _Findings
) -> str | None:
    if settings.entry is not None:
        return _check_entry(folder, settings.entry, file, findings)
    if isinstance(file.value, dict) and file.value.get("entry") is not None:
        return None  # it was refused already
    found = [name for name in ENTRIES if (folder / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        message = "there are dag.py and dag.yaml: say which one with `entry: dag.py`, or remove one"
        findings.problems.append(Problem(SETTINGS_FILE, None, message))
        return None
    if settings.image is not None:
        return ""
    message = "there is no dag.py and no dag.yaml: write one, or name the file with `entry:`"
    findings.problems.append(Problem(SETTINGS_FILE, None, message))
    return None


def _check_entry(folder: Path, entry: str, file: YamlFile, findings: _Findings) -> str | None:
    stem = entry.rpartition(".")[0]
    message = None
    if not (folder / entry).is_file():
        message = f"entry '{entry}' is not in the project: create it, or correct the name"
    elif entry.endswith(".py") and not stem.isidentifier():
        message = f"entry '{entry}' cannot be imported: use letters, digits and '_' in its name"
    elif entry.endswith(".py") and (stem in sys.stdlib_module_names or stem.startswith("leoflow")):
        message = f"entry '{entry}' has the name of a module that Python needs: rename it"
    if message is not None:
        findings.problems.append(file.problem(("entry",), message))
        return None
    return entry
