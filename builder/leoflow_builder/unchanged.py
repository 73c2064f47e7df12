"""Tells whether a project is as it was when it was built last, and its image still there.

So an unchanged build calls no builder and reads no DAG. Standard library only: whatever this
imports, every such build pays for. What is not sure counts as changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from leoflow_builder.oci.presence import archive_has, engine_has, folder_has
from leoflow_builder.toolfile import BUILT_FILE, is_a_tools
from leoflow_builder.wholefile import write_whole
from leoflow_builder.wish import BuildWish

# Raise it when what is remembered has another form.
FORM = 1
PACKAGES = ("leoflow_builder", "leoflow_agent", "leoflow", "leoflow_base_images")
# A file system's clock may be this much behind the one that is read here.
_CLOCK_SECONDS = 0.02
Document = dict[str, Any]


def recall(
    folder: Path, home: Path, wish: BuildWish, environment: Mapping[str, str]
) -> Document | None:
    """Return what `leoflow build --json` told of the last build, if it would tell the same now.

    None if anything changed, or if it takes more to find out.
    """
    folder = folder.resolve()
    try:
        known = json.loads(_record(folder, home, wish).read_bytes())
        if known["form"] != FORM or wish.push:
            return None
        if known["print"] != fingerprint(folder, known["ignored"], environment):
            return None
        document = _as_reused(known["document"])
        there = _is_there(known["name"], known["image_id"], wish)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return document if there else None


def _as_reused(document: Document) -> Document:
    """Return what a build told as it would tell it now, when nothing had to be made."""
    layers = [{**layer, "reused": True} for layer in document["layers"]]
    return {**document, "built": False, "layers": layers}


class Watch:
    """Notices whether somebody else changes a project's files while it is being built."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._names = self._read_names()
        self._started = time.time()

    def is_undisturbed(self) -> bool:
        """Tell whether no file came, went or changed since; dag.json is what a build writes."""
        if self._read_names() != self._names:
            return False
        return all(
            entry.stat(follow_symlinks=False).st_ctime < self._started - _CLOCK_SECONDS
            for name, entry in _walk(self._folder)
            if name != BUILT_FILE
        )

    def _read_names(self) -> list[str]:
        return [name for name, _ in _walk(self._folder) if name != BUILT_FILE]


@dataclass(frozen=True)
class Outcome:
    """What a build came to. ``ignored`` are the files and folders (with a "/") that the user's
    ignore files leave out; ``name`` and ``image_id`` are the destination's."""

    ignored: tuple[str, ...]
    name: str
    image_id: str
    document: Document


def remember(
    folder: Path, home: Path, wish: BuildWish, environment: Mapping[str, str], outcome: Outcome
) -> None:
    """Keep what a build came to. Only for a project whose files nobody changed meanwhile."""
    folder = folder.resolve()
    print_now = fingerprint(folder, outcome.ignored, environment)
    known = {"form": FORM, "print": print_now, **asdict(outcome)}
    record = _record(folder, home, wish)
    record.parent.mkdir(parents=True, exist_ok=True)
    write_whole(record, json.dumps(known).encode())


def fingerprint(folder: Path, ignored: Collection[str], environment: Mapping[str, str]) -> str:
    """Return a digest of all that decides what a build of a folder gives.

    Of what is ignored only Python sources count, by their times: dag.py may import them.
    """
    return _digest([own_print(), *_settings(environment), *_files(folder, frozenset(ignored))])


@cache
def own_print() -> str:
    """Return what tells this leoflow from every other one: a digest of its files' times."""
    return _digest(_own_sources())


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def _record(folder: Path, home: Path, wish: BuildWish) -> Path:
    asked = json.dumps([str(folder), wish.as_json()], sort_keys=True)
    key = hashlib.sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return home.absolute() / "cache" / "unchanged" / f"{key}.json"


def _is_there(name: str, image_id: str, wish: BuildWish) -> bool:
    if wish.output is not None:
        has = archive_has if wish.output.suffix == ".tar" else folder_has
        return has(wish.output.absolute(), name, image_id)
    from leoflow_builder.oci.engine_images import SocketImages, open_images

    images = open_images()
    # Any other engine takes a library to be asked, and so all that this is to spare.
    return isinstance(images, SocketImages) and engine_has(images, name, image_id)


def _own_sources() -> Iterator[str]:
    for package in PACKAGES:
        found = find_spec(package)
        for place in (found.submodule_search_locations or ()) if found else ():
            for _, entry in _walk(Path(place)):
                yield _times(entry)


def _settings(environment: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(environment):
        if name == "SOURCE_DATE_EPOCH" or (name.startswith("LEOFLOW_") and name != "LEOFLOW_HOME"):
            yield f"{name}={environment[name]}"


def _files(folder: Path, ignored: frozenset[str]) -> Iterator[str]:
    for name, entry in _walk(folder):
        if not _is_ignored(name, ignored):
            yield f"{name} {_content(entry)}"
        elif name.endswith(".py"):
            yield _times(entry)


def _is_ignored(name: str, ignored: frozenset[str]) -> bool:
    parts = name.split("/")
    above = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
    return bool(ignored) and (name in ignored or any(one in ignored for one in above))


def _walk(folder: Path, prefix: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give all that is no folder and not a tool's, sorted, by its path in the folder.

    What is in a folder that cannot be read is in no image, and no code can import it.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda one: one.name)
    except PermissionError:
        return
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_a_tools(Path(entry.path), is_folder):
            continue
        if is_folder:
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _content(entry: os.DirEntry[str]) -> str:
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return f"link {os.readlink(entry.path)}"  # noqa: PTH115
    if not stat.S_ISREG(status.st_mode):
        return "neither file nor link"
    with open(entry.path, "rb") as file:  # noqa: PTH123 - pathlib's costs twice as much
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{bool(status.st_mode & stat.S_IXUSR)} {digest}"


def _times(entry: os.DirEntry[str]) -> str:
    status = entry.stat()
    return f"{entry.path} {status.st_mtime_ns} {status.st_size}"
