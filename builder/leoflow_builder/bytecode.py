"""Compiles Python sources by the image's interpreter: the same sources give the same bytes.

It never compiles with the interpreter that leoflow itself runs on.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from leoflow_builder import compile_worker
from leoflow_builder.interpreter import Interpreter

# Not the number of processors: which files share a process shows in the bytes.
PARTS = 4
COMPILE_SECONDS = 600.0


class CompileError(Exception):
    """The interpreter could not compile at all; the text holds what it said."""


def compile_sources(
    interpreter: Interpreter,
    root: Path,
    inside: str,
    sources: Sequence[str],
    options: Sequence[str] = (),
) -> dict[str, str]:
    """Write an unchecked-hash .pyc for each source, and return the ones that are no valid Python.

    `sources` are relative to `root`; the code is told that it lies in `inside`, e.g. "/usr/lib".
    `options` are the interpreter's, such as "-X".
    """
    ordered = sorted(sources)
    parts = [part for part in (ordered[start::PARTS] for start in range(PARTS)) if part]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = pool.map(lambda part: _compile(interpreter, root, inside, part, options), parts)
        return {source: reason for failed in results for source, reason in failed.items()}


def sources_below(folder: Path) -> list[str]:
    """List the Python sources below a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))


def _compile(
    interpreter: Interpreter,
    root: Path,
    inside: str,
    sources: list[str],
    options: Sequence[str],
) -> dict[str, str]:
    order = {"root": str(root), "inside": inside.rstrip("/"), "sources": sources}
    done = interpreter.run(
        [*options, "-S", str(Path(compile_worker.__file__))],
        stdin=json.dumps(order).encode(),
        env={"PYTHONHASHSEED": "0"},
        timeout_seconds=COMPILE_SECONDS,
    )
    if done.returncode != 0:
        raise CompileError(f"compiling '{root}' failed:\n{done.stderr.decode(errors='replace')}")
    failed: dict[str, str] = json.loads(done.stdout)
    return failed
