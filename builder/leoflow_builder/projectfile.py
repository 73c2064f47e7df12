"""Which files of a project go into its image, and which must not.

What is left out is told, never dropped in silence; what looks like a secret is refused by name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.ignorefile import Ignored, read_ignored
from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.secretname import looks_secret
from leoflow_builder.toolfile import BUILT_FILE, is_a_tools

# https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md#whiteouts
WHITEOUT = ".wh."


@dataclass(frozen=True)
class ProjectFiles:
    """The files and links that go into the image, by their path in the project, sorted; and what
    the user's ignore files leave out: files, and whole folders with a "/" at the end."""

    chosen: dict[str, Path]
    ignored: tuple[str, ...]


def choose_files(folder: Path, allowed_secrets: Collection[str] = ()) -> ProjectFiles:
    """Return what of a project goes into its image.

    ``allowed_secrets`` are paths that may go in although they look like secrets. ProjectError if
    something does and is not allowed, is no file, cannot be read, links out of the project, or has
    a name that no layer can hold.
    """
    ignored: list[str] = []
    chosen = dict(sorted(_walk(folder, "", read_ignored(folder), ignored)))
    chosen.pop(BUILT_FILE, None)
    problems = [p for name, path in chosen.items() if (p := _problem(name, path, folder))]
    problems += [
        _secret_problem(name)
        for name in chosen
        if looks_secret(name) and name not in allowed_secrets
    ]
    if problems:
        raise ProjectError(problems)
    return ProjectFiles(chosen, tuple(sorted(ignored)))


def find_file_problems(folder: Path, allowed_secrets: Collection[str] = ()) -> Sequence[Problem]:
    """Return why the files of a project cannot go into an image; none if they can."""
    try:
        choose_files(folder, allowed_secrets)
    except ProjectError as error:
        return error.problems
    return []


def _walk(
    folder: Path, prefix: str, rules: Ignored, ignored: list[str]
) -> Iterator[tuple[str, Path]]:
    for entry in sorted(folder.iterdir()):
        name, is_folder = prefix + entry.name, entry.is_dir() and not entry.is_symlink()
        if is_a_tools(entry, is_folder):
            continue
        if rules.leaves_out(name, is_folder):
            if name != BUILT_FILE:
                ignored.append(name + "/" if is_folder else name)
        elif is_folder and os.access(entry, os.R_OK | os.X_OK):
            yield from _walk(entry, f"{name}/", rules.below(entry, name), ignored)
        else:
            yield name, entry


def _secret_problem(name: str) -> Problem:
    message = (
        "looks like a secret, and whoever gets the image could read it. Add it to "
        f".leoflowignore, or write `allow_secret_files: ['{name}']` in leoflow.yaml"
    )
    return Problem(name, None, message)


def _problem(name: str, path: Path, folder: Path) -> Problem | None:
    unfit = _unfit_name(name)
    if unfit is not None:
        return unfit
    if path.is_symlink():
        # pathlib's own way raises for links that lead in a circle, but not in every Python.
        target = Path(os.path.realpath(path.parent / path.readlink()))
        inside = target.is_relative_to(folder.resolve()) and not path.readlink().is_absolute()
        text = f"is a link to '{path.readlink()}', which is not in the image. Copy the file here"
        return None if inside else Problem(name, None, text)
    if path.is_dir():
        text = "is a folder that cannot be read. Correct its mode, or add it to .leoflowignore"
        return Problem(name, None, text)
    if not stat.S_ISREG(path.lstat().st_mode):
        return Problem(name, None, "is neither a file, a folder nor a link. Remove it")
    if not os.access(path, os.R_OK):
        return Problem(name, None, "cannot be read. Correct its mode, or remove it")
    return None


def _unfit_name(name: str) -> Problem | None:
    """Say why no layer can hold a file of such a name, or return None."""
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode(errors="backslashreplace")
        return Problem(shown, None, "has a name that is not UTF-8. Rename it")
    if any(part.startswith(WHITEOUT) for part in name.split("/")):
        message = f"would remove another file: names with '{WHITEOUT}' say so in images. Rename it"
        return Problem(name, None, message)
    return None
