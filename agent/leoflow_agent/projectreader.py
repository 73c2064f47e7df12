"""What is known while one project is read: its problems, and where each of them is.

Used by ``read_dag`` only; never imported in a task's container.
"""

import importlib
import os
import sys
import traceback

from leoflow.mistake import DagError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow.registry import Place


class Reader:
    """One project; every problem is kept, none is raised."""

    def __init__(self, folder: str, entry: str) -> None:
        self.folder = folder
        self.entry = entry
        self.problems: list[dict[str, Any]] = []

    def add(self, message: str, place: "Place") -> None:
        """Keep a problem; its file is told relative to the project."""
        file, line = self.relative(place)
        self.problems.append({"file": file, "line": line or None, "message": message})

    def relative(self, place: "Place") -> "Place":
        """Return ``place`` with its file relative to the project; outside of it, the entry."""
        inside = place[0].startswith(self.folder + os.sep)
        if inside:
            return os.path.relpath(place[0], self.folder).replace(os.sep, "/"), place[1]
        return self.entry, 0

    def load(self, module: str) -> "Any":
        """Import ``module`` of the project; None if that is impossible, with the problem kept."""
        try:
            return importlib.import_module(module)
        except DagError as error:
            self.add(error.message, (error.file, error.line))
        except SyntaxError as error:
            self.add(f"SyntaxError: {error.msg}", self._syntax_place(error))
        except BaseException as error:
            traceback.print_exc()
            self.add(_import_failure(error, module), self._last_line(error))
        return None

    def _syntax_place(self, error: SyntaxError) -> "Place":
        place = (os.path.abspath(error.filename or ""), error.lineno or 0)
        return place if place[0].startswith(self.folder + os.sep) else self._last_line(error)

    def _last_line(self, error: BaseException) -> "Place":
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename.startswith(self.folder + os.sep):
                return frame.filename, frame.lineno or 0
        return os.path.join(self.folder, self.entry), 0


def _import_failure(error: BaseException, module: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        if error.name == module:
            return f"there is no module '{module}' in the project"
        if error.name.partition(".")[0] == "airflow":
            return (
                f"No module named '{error.name}': write `from leoflow import dag, task`. If tasks "
                "need Airflow itself, add apache-airflow to `dependencies` in leoflow.yaml"
            )
        return (
            f"No module named '{error.name}': add the package that has it to `dependencies` in "
            "leoflow.yaml, or the file to the project"
        )
    if isinstance(error, ImportError) and error.name == "leoflow" and "'" in str(error.msg):
        return _unknown_name(str(error.msg).split("'")[1])
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) is called while the DAG is read: remove it"
    text = traceback.format_exception_only(type(error), error)[-1].strip()
    return f"{text} (while '{module}' is imported)"


def _unknown_name(name: str) -> str:
    from leoflow.mistake import guess

    known: list[str] = vars(sys.modules["leoflow"])["__all__"]
    hint = guess(name, known) or f" It has {', '.join(known)}."
    return f"leoflow has no '{name}'.{hint}"
