"""Runs inside the image's interpreter: compiles the agent into the file that it starts from.

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
BUNDLE = "leoflow_agent.bundle"
# In the order of their imports: what is run before the others need it.
EARLY = (
    "leoflow_agent",
    "leoflow_agent.compactjson",
    "leoflow_agent.child",
    "leoflow.registry",
    "leoflow",
)

# The interpreter searches the file that it is started with for a zip archive's end, up to 64 KiB
# of it. So that file is a few bytes, and the rest is read from beside it.
STUB = """
import marshal
import posix
import sys

_path = __file__.rpartition("/")[0] + "/{name}"
_file = posix.open(_path, posix.O_RDONLY)
_bundle, _early, _start = marshal.loads(posix.read(_file, {early}))
posix.close(_file)
_module = type(sys)("{bundle}")
exec(_bundle, _module.__dict__)
_module.begin(_module, _early, _path, {early}, {later})
exec(_start)
"""


def main() -> None:
    """Read {"root", "inside", "modules": {name: source}, "stub", "rest"} and write these two."""
    order = json.load(sys.stdin)
    root, rest = Path(order["root"]), Path(order["rest"])
    early, later = bundle(root, order["inside"], order["modules"])
    (root / rest).write_bytes(early + later)
    text = STUB.format(name=rest.name, bundle=BUNDLE, early=len(early), later=len(later))
    stub = _code(text, f"{order['inside']}/{order['stub']}")
    pyc = _code_to_hash_pyc(stub, importlib.util.source_hash(b""), checked=False)
    (root / order["stub"]).write_bytes(pyc)


def bundle(root: Path, inside: str, modules: dict[str, str]) -> tuple[bytes, bytes]:
    """Return what every start reads, and what is read when another module is imported.

    The first is (the bundle's own code, {name: (code, is a package)}, the start's code), the
    second {name: (marshalled code, is a package)}: of those, each is needed by few.
    """
    codes = {
        name: _code((root / source).read_text(encoding="utf-8"), f"{inside}/{source}")
        for name, source in modules.items()
    }
    packages = {name for name, source in modules.items() if source.endswith("/__init__.py")}
    early = {name: (codes[name], name in packages) for name in EARLY}
    later = {
        name: (marshal.dumps(code), name in packages)
        for name, code in sorted(codes.items())
        if name not in (START, BUNDLE, *EARLY)
    }
    return marshal.dumps((codes[BUNDLE], early, codes[START])), marshal.dumps(later)


def _code(text: str, filename: str) -> CodeType:
    """Compile without docstrings and asserts: nobody reads them in there, each start would."""
    return compile(text, filename, "exec", dont_inherit=True, optimize=2)


if __name__ == "__main__":
    main()
