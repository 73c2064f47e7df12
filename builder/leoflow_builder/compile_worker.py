"""Runs inside the image's interpreter: compiles the sources named on standard input.

Standard library only, and no import of leoflow's. What a process has compiled before shows in the
bytes, so each part gets a copy of this process, as it was before the first one.
"""

import json
import os
import py_compile
import sys
from importlib.util import cache_from_source


def main() -> None:
    """Read {"inside", "parts": [{"root", "sources"}], "processes"} and print, for each part, the
    sources that are no Python, with reasons."""
    order = json.load(sys.stdin)
    print(json.dumps(compile_parts(order["parts"], order["inside"], order["processes"])))


def compile_parts(
    parts: list[dict[str, object]], inside: str, processes: int
) -> list[dict[str, str]]:
    """Compile each part in a process of its own, at most `processes` of them at a time."""
    notes = [os.memfd_create("failed") for _ in parts]
    running = 0
    # Images may have Python 3.9, whose zip() has no strict.
    for part, note in zip(parts, notes):  # noqa: B905
        if running == processes:
            _wait_for_one()
            running -= 1
        if os.fork() == 0:
            _compile_and_leave(part, inside, note)
        running += 1
    for _ in range(running):
        _wait_for_one()
    return [_read(note) for note in notes]


def _compile_and_leave(part: dict[str, object], inside: str, note: int) -> None:
    code = 1
    try:
        failed = compile_all(part["root"], inside, part["sources"])  # type: ignore[arg-type]
        with open(note, "w") as file:
            json.dump(failed, file)
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _wait_for_one() -> None:
    _, status = os.wait()
    if status != 0:
        sys.exit(f"a process that compiled ended with {os.waitstatus_to_exitcode(status)}")


def _read(note: int) -> dict[str, str]:
    with open(note) as file:
        file.seek(0)
        failed: dict[str, str] = json.load(file)
    return failed


def compile_all(root: str, inside: str, sources: list[str]) -> dict[str, str]:
    """Compile `root/source` for each source as if it lay in `inside`."""
    failed = {}
    for source in sources:
        path = f"{root}/{source}"
        try:
            py_compile.compile(
                path,
                cfile=cache_from_source(path, optimization=""),
                dfile=f"{inside}/{source}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, ValueError, RecursionError) as error:
            failed[source] = str(error)
    return failed


if __name__ == "__main__":
    main()
