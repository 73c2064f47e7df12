"""What a package's postinst would do that shows in an image, read out of its text. Pure.

Nothing is run. What cannot be read is named, so that nobody relies on it in silence.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

# Programs that change the file system for what a task may rely on, and are not run.
_MATTERS = (
    "adduser",
    "addgroup",
    "useradd",
    "groupadd",
    "systemd-sysusers",
    "fc-cache",
    "glib-compile-schemas",
    "gdk-pixbuf-query-loaders",
    "locale-gen",
    "update-mime-database",
    "update-ca-certificates",
    "install-sgmlcatalog",
    "update-xmlcatalog",
)
_END = {"||", "&&", ";", "|", "}", "fi", "then", "do", "done"}


@dataclass(frozen=True, order=True)
class Alternative:
    """A link that `update-alternatives` would make; of several the highest priority wins."""

    link: str
    priority: int
    target: str


def alternatives(script: str) -> tuple[list[Alternative], bool]:
    """Return the alternatives that a script installs, and whether all of them could be read."""
    found: list[Alternative] = []
    readable = True
    for line in _commands(script):
        if "update-alternatives" not in line or "--install" not in line:
            continue
        try:
            found += _installed(shlex.split(line, comments=True))
        except (ValueError, IndexError):
            readable = False
    return found, readable


def unmet(script: str) -> list[str]:
    """Return the names of the programs that a script calls and that matter, sorted."""
    words = {word for line in _commands(script) for word in re.split(r"[\s;&|()`\"'$]+", line)}
    return sorted({word.rpartition("/")[2] for word in words} & set(_MATTERS))


def _commands(script: str) -> Iterator[str]:
    for line in script.replace("\\\n", " ").splitlines():
        if not line.lstrip().startswith(("#", "echo", "printf")):
            yield line


def _installed(words: list[str]) -> Iterator[Alternative]:
    start = words.index("--install")
    link, _, target, priority = words[start + 1 : start + 5]
    yield _alternative(link, target, int(priority.rstrip(";")))
    rest = words[start + 5 :]
    while rest and rest[0] not in _END:
        if rest[0] == "--slave":
            yield _alternative(rest[1], rest[3].rstrip(";"), int(priority.rstrip(";")))
            rest = rest[3:]
        rest = rest[1:]


def _alternative(link: str, target: str, priority: int) -> Alternative:
    if "$" in link + target or not (link.startswith("/") and target.startswith("/")):
        raise ValueError(f"'{link}' is no path as it stands")
    return Alternative(link.lstrip("/"), priority, target.lstrip("/"))
