"""How large each installed package is, with its bytecode, by the records that wheels bring.

It looks at sizes and opens nothing but the records.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class PackageSize:
    """An installed package and the bytes of its files, not compressed."""

    name: str
    size_bytes: int


def package_sizes(site: Path) -> list[PackageSize]:
    """Return the packages in a site folder, the largest first; files of nobody are left out."""
    owners = dict(_owners(site))
    sizes: Counter[str] = Counter()
    for folder, _, names in os.walk(site):
        inside = PurePosixPath(Path(folder).relative_to(site).as_posix())
        for name in names:
            owner = owners.get(_source_of(inside / name))
            if owner is not None:
                sizes[owner] += Path(folder, name).lstat().st_size
    return [PackageSize(name, size) for name, size in sizes.most_common()]


def _owners(site: Path) -> Iterator[tuple[str, str]]:
    for record in sorted(site.glob("*.dist-info/RECORD")):
        package = record.parent.name.removesuffix(".dist-info").rpartition("-")[0]
        with record.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                if row:
                    yield row[0], package


def _source_of(path: PurePosixPath) -> str:
    """Return a file's path in a record; bytecode, which stands in none, belongs to its source."""
    if path.parent.name == "__pycache__":
        path = path.parent.parent / f"{path.name.partition('.')[0]}.py"
    return path.as_posix()
