"""Runs inside the image's interpreter: compiles the sources named on standard input.

Standard library only, and no import of leoflow's. The files are compiled in the given order, since
what a process has loaded before shows in the bytes.
"""

import json
import py_compile
import sys
from importlib.util import cache_from_source


def main() -> None:
    """Read {"root", "inside", "sources"} and print the sources that are no Python, with reasons."""
    order = json.load(sys.stdin)
    print(json.dumps(compile_all(order["root"], order["inside"], order["sources"])))


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
