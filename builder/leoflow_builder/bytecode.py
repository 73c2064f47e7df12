"""Compiles Python sources by the image's interpreter: the same sources give the same bytes.

It never compiles with the interpreter that leoflow itself runs on.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from leoflow_builder.interpreter import Interpreter

# How many processes share a tree. Not the number of processors, and not more trees in one
# process: which files were compiled together shows in the bytes.
PARTS = 4
FILES_WORTH_A_PART = 16
COMPILE_SECONDS = 600.0
# What the interpreter runs; it is never imported here.
WORKER = Path(__file__).with_name("compile_worker.py")


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
    return compile_trees(interpreter, {root: sources}, inside, options)[root]


def compile_trees(
    interpreter: Interpreter,
    trees: Mapping[Path, Sequence[str]],
    inside: str,
    options: Sequence[str] = (),
) -> dict[Path, dict[str, str]]:
    """Compile the sources of several trees, in one start of the interpreter; see above.

    A tree's bytes are the same, whatever is compiled beside it.
    """
    parts = [(root, part) for root, sources in trees.items() for part in _parts(sources)]
    failed: dict[Path, dict[str, str]] = {root: {} for root in trees}
    if parts:
        for (root, _), found in zip(
            parts, _compile(interpreter, parts, inside, options), strict=True
        ):
            failed[root] |= found
    return failed


def sources_below(folder: Path) -> list[str]:
    """List the Python sources below a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))


def _parts(sources: Sequence[str]) -> list[list[str]]:
    ordered = sorted(sources)
    number = min(PARTS, math.ceil(len(ordered) / FILES_WORTH_A_PART))
    return [ordered[start::number] for start in range(number)]


def _compile(
    interpreter: Interpreter,
    parts: Sequence[tuple[Path, list[str]]],
    inside: str,
    options: Sequence[str],
) -> list[dict[str, str]]:
    order = {
        "inside": inside.rstrip("/"),
        "parts": [{"root": str(root), "sources": sources} for root, sources in parts],
        "processes": os.cpu_count() or 1,
    }
    done = interpreter.run(
        [*options, "-S", str(WORKER)],
        stdin=json.dumps(order).encode(),
        env={"PYTHONHASHSEED": "0"},
        timeout_seconds=COMPILE_SECONDS,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        raise CompileError(f"compiling '{parts[0][0]}' failed:\n{said}")
    failed: list[dict[str, str]] = json.loads(done.stdout)
    return failed
