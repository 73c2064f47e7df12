"""Imports the modules that lie in the same file as the agent's start: one file instead of twenty.

Every file that is looked for before user code runs costs a tenth of a millisecond, more on the
layers of a container. The build puts this module in front of the start; it is never imported,
and it is its own finder and loader: a class would cost as much as a module.
"""

import marshal
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

ModuleSpec = type(sys.__spec__)  # type: ignore[misc]
Module = type(sys)
_this: "ModuleType"
_later = ("", 0, 0)
_codes: "dict[str, tuple[bytes, bool]]" = {}


def begin(
    this: "ModuleType",
    early: "dict[str, tuple[CodeType, bool]]",
    file: str,
    offset: int,
    size: int,
) -> None:
    """Make the modules of the bundle importable by way of ``this``, the module of this code.

    ``early`` are those that every start needs, by name: code, and if a package. They are run at
    once, in their order, without the import system: it costs more than most of them. All others
    are in ``file``, ``size`` bytes from ``offset``.
    """
    global _this, _later
    _this, _later = this, (file, offset, size)
    sys.meta_path.insert(0, this)
    # A package before what is in it; and all of them before one imports another.
    for name in sorted(early):
        _enter(name, *early[name])
    for name, (code, _) in early.items():
        exec(code, sys.modules[name].__dict__)


def _enter(name: str, code: "CodeType", is_package: bool) -> None:
    """Put an empty module where an import statement finds it."""
    module = sys.modules[name] = Module(name)
    spec = ModuleSpec(name, _this, origin=code.co_filename, is_package=is_package)  # type: ignore[arg-type]
    module.__spec__, module.__loader__ = spec, spec.loader
    module.__file__, module.__package__ = spec.origin, spec.parent
    if is_package:
        module.__path__ = spec.submodule_search_locations  # type: ignore[assignment]
    package, _, own_name = name.rpartition(".")
    if package:
        setattr(sys.modules[package], own_name, module)


def find_spec(name: str, *_: object) -> "ModuleSpec | None":
    """Return how to load the module ``name``, None if it is not of the bundle."""
    if name == "_json":
        return _find_extension(name)
    if name[:7] != "leoflow":
        return None
    if not _codes:
        _read_later()
    if name not in _codes:
        return None
    return ModuleSpec(name, _this, is_package=_codes[name][1])  # type: ignore[arg-type]


def _read_later() -> None:
    path, offset, size = _later
    file = posix.open(path, posix.O_RDONLY)
    _codes.update(marshal.loads(posix.pread(file, size, offset)))
    posix.close(file)


def _find_extension(name: str) -> "ModuleSpec | None":
    """Look into the one folder where it is: the search on the path lists three of them first."""
    for folder in sys.path:
        if folder[-12:] == "/lib-dynload":
            path = folder + "/" + name + sys.modules["_imp"].extension_suffixes()[0]
            try:
                posix.stat(path)
            except OSError:
                return None
            outside = sys.modules["_frozen_importlib_external"]
            spec = ModuleSpec(name, outside.ExtensionFileLoader(name, path), origin=path)
            spec.has_location = True
            return spec
    return None


def create_module(_: "ModuleSpec") -> None:
    """Leave the making of the module to the interpreter."""


def exec_module(module: "ModuleType") -> None:
    """Run the module's code in it."""
    code = marshal.loads(_codes[module.__name__][0])
    module.__file__ = code.co_filename
    exec(code, module.__dict__)
