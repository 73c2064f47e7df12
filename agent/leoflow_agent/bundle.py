"""Imports the modules that lie in the same file as the agent's start: one file instead of ten.

Every file that is looked for before user code runs costs a tenth of a millisecond, more on the
layers of a container. Written into the agent's .pyc in front of its start, never imported itself.
"""

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Bundle:
    """Finds and loads modules by name out of ``modules``: marshalled code, and if a package."""

    def __init__(self, modules: "dict[str, tuple[bytes, bool]]") -> None:
        self._modules = modules

    def find_spec(self, name: str, *_: object) -> "ModuleSpec | None":
        """Return how to load the module ``name``, None if it is not in the bundle."""
        if name not in self._modules:
            return None
        return type(sys.__spec__)(name, self, is_package=self._modules[name][1])  # type: ignore[arg-type]

    def create_module(self, _: "ModuleSpec") -> None:
        """Leave the making of the module to the interpreter."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code in it."""
        code = marshal.loads(self._modules[module.__name__][0])
        module.__file__ = code.co_filename
        exec(code, module.__dict__)
