"""The reader of DAGs as a folder that the image's interpreter can import, compiled by it once.

So that nothing else installed here is importable, and no build compiles it anew.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from leoflow_agent import inline_cap

from leoflow_builder.bytecode import compile_sources, sources_below
from leoflow_builder.cache import ensure_folder, make_key
from leoflow_builder.interpreter import Interpreter

_AGENT_FOLDER = Path(inline_cap.__file__).parent
_READER_FILES = (
    "__init__.py",
    "argument.py",
    "branchtarget.py",
    "callcheck.py",
    "context.py",
    "dagoption.py",
    "drawndag.py",
    "jsonhint.py",
    "projectreader.py",
    "read_dag.py",
)


def write_reader(folder: Path) -> None:
    """Copy the reader into a folder of its own, as sources."""
    for name, source in _sources().items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source, folder / name)


def ensure_reader(interpreter: Interpreter, python_version: str, home: Path) -> Path:
    """Return the reader compiled for a whole Python version; ``home`` is LEOFLOW_HOME."""

    def make(folder: Path) -> None:
        write_reader(folder)
        compile_sources(interpreter, folder, str(folder), sources_below(folder))

    texts = [f"{name}\0{source.read_text('utf-8')}" for name, source in _sources().items()]
    key = make_key([python_version, *texts])
    return ensure_folder(home.absolute() / "cache" / "readers", key, make)[0]


def _sources() -> dict[str, Path]:
    found = {f"{_AGENT_FOLDER.name}/{name}": _AGENT_FOLDER / name for name in _READER_FILES}
    for file in sorted((_AGENT_FOLDER.parent / "leoflow").glob("*.py")):
        found[f"leoflow/{file.name}"] = file
    return found
