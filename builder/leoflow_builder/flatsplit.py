"""Takes a flat tree of several wheels apart again, by what their records say each one brings.

It refuses where that does not say it all, for then the wheels have to be unpacked one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from leoflow_builder.sitetree import DROPPINGS, LEFTOVERS, files_in_record


def split_flat(flat: Path, folders: Mapping[str, Path]) -> bool:
    """Move what each wheel brought into its folder; ``folders`` are by normalised name.

    False, and nothing is moved, if two brought the same file or some file is nobody's.
    """
    brought = dict(_brought(flat))
    if set(brought) != set(folders):
        return False
    owners = Counter(name for files in brought.values() for name in files)
    if any(number > 1 for number in owners.values()):
        return False
    if any(name not in owners for name in _files(flat)):
        return False
    for name, files in brought.items():
        _move(flat, folders[name], files)
    return True


def _brought(flat: Path) -> Iterator[tuple[str, set[str]]]:
    for record in flat.glob("*.dist-info/RECORD"):
        folder = record.parent
        notes = {f"{folder.name}/{name}" for name in DROPPINGS}
        files = {name.removeprefix("./") for name in files_in_record(record)}
        yield canonicalize_name(folder.name.partition("-")[0]), files | notes


def _files(flat: Path) -> Iterator[str]:
    for path in flat.rglob("*"):
        name = path.relative_to(flat).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        if "__pycache__" not in name and name not in LEFTOVERS:
            yield name


def _move(flat: Path, folder: Path, files: set[str]) -> None:
    known: set[Path] = set()
    for name in files:
        source, target = flat / name, folder / name
        if not source.exists():
            continue
        if target.parent not in known:
            target.parent.mkdir(parents=True, exist_ok=True)
            known.add(target.parent)
        source.rename(target)
