"""What .gitignore and .leoflowignore keep out of an image, by git's own rules.

Patterns are read from files; the project's other files are only asked for their names.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.problem import Problem, ProjectError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

GIT, OWN = ".gitignore", ".leoflowignore"


class Ignored:
    """The patterns that hold in one folder: git's from here and above, then leoflow's own.

    The last pattern that matches decides, so .leoflowignore can take back what .gitignore leaves
    out: `!data/model.bin`.
    """

    def __init__(
        self, rules: Iterable[tuple[str, GitIgnoreSpec]], own: GitIgnoreSpec | None
    ) -> None:
        self._rules = tuple(rules)
        self._own = own

    def below(self, folder: Path, name: str) -> Ignored:
        """Return what holds in a folder, whose path in the project is ``name``."""
        spec = _read(folder / GIT, f"{name}/{GIT}")
        return self if spec is None else Ignored([*self._rules, (f"{name}/", spec)], self._own)

    def leaves_out(self, name: str, is_folder: bool) -> bool:
        """Tell whether the file or folder ``name`` (a path in the project) stays outside."""
        path = name + "/" if is_folder else name
        verdict = None
        for base, spec in self._rules:
            if path.startswith(base):
                verdict = _latest(spec, path[len(base) :], verdict)
        return bool(verdict if self._own is None else _latest(self._own, path, verdict))


def read_ignored(folder: Path) -> Ignored:
    """Return what holds in the project folder itself; ProjectError if a file is not readable."""
    git = _read(folder / GIT, GIT)
    own = _read(folder / OWN, OWN)
    return Ignored([] if git is None else [("", git)], own)


def _latest(spec: GitIgnoreSpec, path: str, verdict: bool | None) -> bool | None:
    found = spec.check_file(path).include
    return verdict if found is None else found


def _read(file: Path, name: str) -> GitIgnoreSpec | None:
    try:
        # Like git, without the mark that some editors begin UTF-8 with.
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        # It takes long to load, and few projects have such a file.
        from pathspec import GitIgnoreSpec

        return GitIgnoreSpec.from_lines(lines)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        problem = Problem(name, None, "is not UTF-8 text: save it as UTF-8")
    except OSError as error:
        problem = Problem(name, None, f"cannot be read: {error.strerror}")
    except ValueError as error:
        problem = Problem(name, None, f"has a pattern that git would not take: {error}")
    raise ProjectError([problem])
