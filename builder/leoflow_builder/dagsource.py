"""Takes a project's files as they are at one moment, with the bytecode of its sources.

So that it can be done while the DAG is read: it needs the files and no DagSpec.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.bytecode import compile_sources
from leoflow_builder.interpreter import Interpreter

DAG_FOLDER = "/opt/leoflow/dag"


@dataclass(frozen=True)
class DagSources:
    """Files by their path in the project. ``chosen`` are those asked for, ``files`` where their
    content is: sources are copies, which match ``bytecode``. ``not_compiled`` are the sources
    that are no valid Python, with the reasons."""

    chosen: Mapping[str, Path]
    files: Mapping[str, Path]
    bytecode: Mapping[str, Path]
    not_compiled: Mapping[str, str]


def compile_files(chosen: Mapping[str, Path], interpreter: Interpreter, folder: Path) -> DagSources:
    """Return a project's files with bytecode; copies and bytecode lie in ``folder``, a new one."""
    folder.mkdir()
    sources = [name for name, path in chosen.items() if _is_source(name, path)]
    copies = {name: folder / name for name in sources}
    for name, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(chosen[name], copy)
    failed = compile_sources(interpreter, folder, DAG_FOLDER, sources)
    bytecode = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.pyc")}
    return DagSources(chosen, {**chosen, **copies}, bytecode, failed)


def without_bytecode(chosen: Mapping[str, Path]) -> DagSources:
    """Return files that go into no layer."""
    return DagSources(chosen, chosen, {}, {})


def _is_source(name: str, path: Path) -> bool:
    return name.endswith(".py") and not path.is_symlink()
