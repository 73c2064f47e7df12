"""Makes of a flat tree what pip would have installed: prefix folders, scripts, clean records.

It changes the tree in place and knows no layers. The tree must hold copies, no links into a cache.
Whichever program unpacked it, the result is the same.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from leoflow_builder.entryscript import entry_scripts

# Wheels bring these for the prefix; they are unpacked beside the packages (as pip --target does).
PREFIX_FOLDERS = ("bin", "etc", "include", "man", "sbin", "share")
DROPPINGS = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"}
# Left by the program that unpacks, at the top of the tree.
LEFTOVERS = {".lock", ".gitignore", "CACHEDIR.TAG", "PEX-INFO"}
# A shell's line for a path that is too long for the kernel (PEP 394's tools write it).
_TRAMPOLINE = b"#!/bin/sh\n'''exec' "


def arrange(site: Path, prefix: Path, python: str) -> None:
    """Arrange the flat tree ``site``, which lies below ``prefix``, for the interpreter ``python``.

    ``python`` is the interpreter's path inside the image.
    """
    _drop_bytecode(site)
    moved = [name for name in PREFIX_FOLDERS if _is_prefix_folder(site / name)]
    for name in moved:
        shutil.move(site / name, prefix / name)
    scripts = prefix / "bin"
    for script in sorted(scripts.iterdir()) if scripts.is_dir() else []:
        if script.is_file():
            _set_interpreter(script, python)
    for record in sorted(site.glob("*.dist-info/RECORD")):
        made = _write_entry_scripts(record.parent, scripts, python)
        _clean_distribution(record, site, prefix, moved, made)
    _drop_empty_folders(prefix)
    _set_modes(prefix)


def has_pth(site: Path) -> bool:
    """Tell whether the site module has something to do here."""
    return any(site.glob("*.pth"))


def files_in_record(record: Path) -> list[str]:
    """List the files that a distribution brings, relative to its site folder."""
    return [row[0] for row in _rows(record)]


def _is_prefix_folder(folder: Path) -> bool:
    # Scripts may end in .py; only a package has this file.
    return folder.is_dir() and not (folder / "__init__.py").exists()


def _drop_bytecode(site: Path) -> None:
    for folder in list(site.rglob("__pycache__")):
        shutil.rmtree(folder)


def _drop_empty_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        if Path(folder) != root:
            with suppress(OSError):  # what is not empty stays
                Path(folder).rmdir()


def _set_modes(root: Path) -> None:
    """Make executable what a kernel can execute: not every installer keeps the wheel's modes."""
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            if path.is_symlink():
                continue
            with path.open("rb") as file:
                head = file.read(4)
            path.chmod(0o755 if head.startswith((b"#!", b"\x7fELF")) else 0o644)


def _set_interpreter(script: Path, python: str) -> None:
    """Replace a first line such as `#!python`, which no kernel can follow."""
    content = script.read_bytes()
    first, newline, rest = content.partition(b"\n")
    if content.startswith(_TRAMPOLINE):
        rest = rest.partition(b"\n")[2].partition(b"\n")[2]
    elif not first.startswith(b"#!") or b"python" not in first:
        return
    script.write_bytes(b"#!" + python.encode() + newline + rest)


def _write_entry_scripts(metadata: Path, scripts: Path, python: str) -> set[str]:
    """Write the scripts of entry points anew, since each installer has a text of its own."""
    made = entry_scripts(metadata / "entry_points.txt", python)
    for name, text in made.items():
        scripts.mkdir(exist_ok=True)
        script = scripts / name
        script.write_text(text, encoding="utf-8")
    return {f"bin/{name}" for name in made}


def _clean_distribution(
    record: Path, site: Path, prefix: Path, moved: list[str], made: set[str]
) -> None:
    for name in DROPPINGS:
        (record.parent / name).unlink(missing_ok=True)
    rows = {row[0]: row for row in _rows(record) if not _is_dropped(row[0])}
    rows |= {name: [name] for name in made}
    in_prefix = [*moved, *(["bin"] if made else [])]
    kept = [_moved_row(row, site, prefix, in_prefix) for row in rows.values()]
    record.write_text(_csv(sorted(kept)), encoding="utf-8")


def _rows(record: Path) -> list[list[str]]:
    with record.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.reader(file) if row]


def _is_dropped(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    in_metadata = folder.endswith(".dist-info")
    return "__pycache__/" in path or (in_metadata and name in DROPPINGS)


def _moved_row(row: list[str], site: Path, prefix: Path, moved: list[str]) -> list[str]:
    if row[0].split("/")[0] not in moved:
        return row
    file = prefix / row[0]
    content = file.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    path = os.path.relpath(file, site)
    return [path, f"sha256={digest}", str(len(content))]


def _csv(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
