"""Makes of pex's flat tree what pip would have installed: prefix folders, scripts, clean records.

It changes the tree in place and knows no layers. The tree must hold copies, no links into a cache.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

# Wheels bring these for the prefix; pex lays them beside the packages (as pip install --target).
PREFIX_FOLDERS = ("bin", "etc", "include", "man", "sbin", "share")
DROPPINGS = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}


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
        _set_interpreter(script, python)
    for record in sorted(site.glob("*.dist-info/RECORD")):
        _clean_distribution(record, site, prefix, moved)


def has_pth(site: Path) -> bool:
    """Tell whether the site module has something to do here."""
    return any(site.glob("*.pth"))


def _is_prefix_folder(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.glob("*.py"))


def _drop_bytecode(site: Path) -> None:
    for folder in list(site.rglob("__pycache__")):
        shutil.rmtree(folder)


def _set_interpreter(script: Path, python: str) -> None:
    """Replace a first line such as `#!python`, which no kernel can follow."""
    content = script.read_bytes()
    first, newline, rest = content.partition(b"\n")
    if not first.startswith(b"#!") or b"python" not in first:
        return
    script.write_bytes(b"#!" + python.encode() + newline + rest)
    script.chmod(0o755)


def _clean_distribution(record: Path, site: Path, prefix: Path, moved: list[str]) -> None:
    for name in DROPPINGS:
        (record.parent / name).unlink(missing_ok=True)
    with record.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    kept = [_moved_row(row, site, prefix, moved) for row in rows if not _is_dropped(row[0])]
    record.write_text(_csv(sorted(kept)), encoding="utf-8")


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
