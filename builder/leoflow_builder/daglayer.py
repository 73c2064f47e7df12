"""The layer of the project's own files and its DagSpec, the one that changes with the code.

It leaves out what other tools keep in a project, and nothing that a user wrote.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leoflow_builder.bytecode import compile_sources, sources_below
from leoflow_builder.cache import make_key
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.layer import LayerFolder, ensure_layer
from leoflow_builder.problem import Problem, ProjectError

LAYOUT = "1"
DAG_FOLDER = "/opt/leoflow/dag"
SPEC_FILE = "/opt/leoflow/dag.json"
# Written by `leoflow build` itself: the image must not depend on its own digest.
BUILT_FILE = "dag.json"
LEFT_OUT_FOLDERS = {
    ".git", ".hg", ".svn", ".idea", ".vscode", ".venv", ".tox", ".nox", "__pycache__",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints",
}  # fmt: skip
LEFT_OUT_FILES = {".DS_Store", ".git"}


def project_files(folder: Path) -> dict[str, Path]:
    """Return the files and links that go into the image, by their path in the project, sorted.

    ProjectError if something is neither, cannot be read, or links out of the project.
    """
    found = {path.relative_to(folder).as_posix(): path for path in _walk(folder)}
    found.pop(BUILT_FILE, None)
    files = dict(sorted(found.items()))
    problems = [p for name, path in files.items() if (p := _problem(name, path, folder))]
    if problems:
        raise ProjectError(problems)
    return files


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            if entry.name not in LEFT_OUT_FOLDERS and not (entry / "pyvenv.cfg").exists():
                yield from _walk(entry)
        elif entry.name not in LEFT_OUT_FILES and not _is_unfinished_lock(entry.name):
            yield entry


def _is_unfinished_lock(name: str) -> bool:
    return name.startswith(".leoflow.lock.")


def _problem(name: str, path: Path, folder: Path) -> Problem | None:
    if path.is_symlink():
        target = (path.parent / path.readlink()).resolve()
        inside = target.is_relative_to(folder.resolve()) and not path.readlink().is_absolute()
        text = f"is a link to '{path.readlink()}', which is not in the image. Copy the file here"
        return None if inside else Problem(name, None, text)
    if not stat.S_ISREG(path.lstat().st_mode):
        return Problem(name, None, "is neither a file, a folder nor a link. Remove it")
    if not os.access(path, os.R_OK):
        return Problem(name, None, "cannot be read. Correct its mode, or remove it")
    return None


def dag_key(files: Mapping[str, Path], spec_json: bytes, python_version: str) -> str:
    """Return a key made of names, contents and executable bits, and of nothing else."""
    parts = [LAYOUT, python_version, hashlib.sha256(spec_json).hexdigest()]
    for name, path in files.items():
        parts += [name, _content_key(path)]
    return make_key(parts)


def _content_key(path: Path) -> str:
    if path.is_symlink():
        return f"link {path.readlink()}"
    executable = bool(path.stat().st_mode & stat.S_IXUSR)
    with path.open("rb") as file:
        return f"file {executable} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def ensure_dag_layer(
    folder: Path, spec_json: bytes, python_version: str, interpreter: Interpreter, home: Path
) -> LayerFolder:
    """Return the DAG layer of a project, made if it is missing.

    Facts: `not_compiled`, the sources that are no valid Python, with the reasons.
    """
    files = project_files(folder)

    def fill(tree: Path) -> dict[str, Any]:
        target = tree / DAG_FOLDER.lstrip("/")
        target.mkdir(parents=True)
        for name, path in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name, follow_symlinks=False)
        (tree / SPEC_FILE.lstrip("/")).write_bytes(spec_json)
        sources = [name for name in sources_below(target) if not (target / name).is_symlink()]
        return {"not_compiled": compile_sources(interpreter, target, DAG_FOLDER, sources)}

    key = dag_key(files, spec_json, python_version)
    return ensure_layer("dag", home.absolute() / "cache" / "dags", key, fill)
