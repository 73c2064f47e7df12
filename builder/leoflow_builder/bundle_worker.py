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


def main() -> None:
    """Read {"root", "inside", "modules": {name: source}, "target"} and write the .pyc."""
    order = json.load(sys.stdin)
    code = bundle(Path(order["root"]), order["inside"], order["modules"])
    pyc = _code_to_hash_pyc(code, importlib.util.source_hash(b""), checked=False)
    Path(order["root"], order["target"]).write_bytes(pyc)


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
