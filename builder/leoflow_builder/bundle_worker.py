"""Runs inside the image's interpreter: compiles the agent into the one file that it starts from.

Standard library only, and no import of leoflow's.
"""

import importlib.util
import json
import marshal
import sys
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]
from pathlib import Path
from types import CodeType

START = "leoflow_agent.__main__"
IMPORTER = "leoflow_agent.bundle"


# The interpreter searches the file that it is started with for a zip archive's end, up to 64 KiB
# of it. So that file is a few bytes, and the rest is read from beside it.
STUB = """
import marshal
import posix

_file = posix.open(__file__.rpartition("/")[0] + "/{name}", posix.O_RDONLY)
_code = posix.read(_file, {size})
posix.close(_file)
exec(marshal.loads(_code))
"""


def main() -> None:
    """Read {"root", "inside", "modules": {name: source}, "stub", "rest"} and write these two."""
    order = json.load(sys.stdin)
    root, rest = Path(order["root"]), Path(order["rest"])
    code = marshal.dumps(bundle(root, order["inside"], order["modules"]))
    (root / rest).write_bytes(code)
    stub = _code(STUB.format(name=rest.name, size=len(code)), f"{order['inside']}/{order['stub']}")
    pyc = _code_to_hash_pyc(stub, importlib.util.source_hash(b""), checked=False)
    (root / order["stub"]).write_bytes(pyc)


def bundle(root: Path, inside: str, modules: dict[str, str]) -> CodeType:
    """Return the code that makes ``modules`` importable and then runs the agent's start."""
    compiled = {
        name: (_compile(root, inside, source), source.endswith("__init__.py"))
        for name, source in sorted(modules.items())
        if name not in (START, IMPORTER)
    }
    importer = (root / modules[IMPORTER]).read_text(encoding="utf-8")
    start = _compile(root, inside, modules[START])
    text = f"{importer}\nsys.meta_path.insert(0, Bundle({compiled!r}))\n"
    text += f"exec(marshal.loads({start!r}))\n"
    return _code(text, f"{inside}/{modules[START]}")


def _compile(root: Path, inside: str, source: str) -> bytes:
    return marshal.dumps(_code((root / source).read_text(encoding="utf-8"), f"{inside}/{source}"))


def _code(text: str, filename: str) -> CodeType:
    """Compile without docstrings and asserts: nobody reads them in there, each start would."""
    return compile(text, filename, "exec", dont_inherit=True, optimize=2)


if __name__ == "__main__":
    main()
