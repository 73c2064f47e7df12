"""Which files with dependencies there are, told by their names. Pure."""

from __future__ import annotations

import re
from typing import Literal

FileKind = Literal["requirements", "pylock", "uvlock", "pyproject"]
READABLE = (
    "Write the name of a requirements*.txt, pylock*.toml (PEP 751), uv.lock or pyproject.toml, "
    "for extras pyproject.toml[extra]"
)
_EXTRAS = re.compile(r"(.*pyproject\.toml)\[([^\]]*)\]")


def kind_of(name: str) -> FileKind | None:
    """Tell what kind of file a value of `dependencies_from` names; None if of no known one."""
    file = split_extras(name)[0].rpartition("/")[2]
    if re.fullmatch(r"requirements[^/]*\.txt", file):
        return "requirements"
    if re.fullmatch(r"pylock(\.[^.]+)?\.toml", file):
        return "pylock"
    if file == "uv.lock":
        return "uvlock"
    return "pyproject" if file == "pyproject.toml" else None


def split_extras(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the path of a file and the extras that are named in brackets after it."""
    found = _EXTRAS.fullmatch(name)
    if found is None:
        return name, ()
    return found.group(1), tuple(one.strip() for one in found.group(2).split(",") if one.strip())
