"""Paths as a process sees them whose root is an unpacked image: no link leads out of it.

It changes nothing. https://man7.org/linux/man-pages/man7/path_resolution.7.html
"""

from __future__ import annotations

import errno
import os
from collections import deque
from pathlib import Path

# As many links as Linux follows in one path.
_MOST_LINKS = 40


def inside(root: Path, path: str, follow_last: bool = True) -> Path:
    """Return where a path of the image is below ``root``, with every link on the way followed.

    What is missing is taken as it is written. OSError if links lead in a circle. ``follow_last``
    False leaves a link at the end of the path alone.
    """
    done: list[str] = []
    left = deque(names_of(path))
    links = 0
    while left:
        name = left.popleft()
        if name == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, name)
        if not (left or follow_last) or not here.is_symlink():
            done.append(name)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = str(here.readlink())
        done = [] if target.startswith("/") else done
        left.extendleft(reversed(names_of(target)))
    return root.joinpath(*done)


def names_of(path: str) -> list[str]:
    """Return the parts of a path; ".." stays, what means nothing does not."""
    return [name for name in path.split("/") if name not in ("", ".")]


def harmless_link(target: str, depth: int) -> str:
    """Return what a link has to say so that this host follows it as the image would.

    ``depth`` is the number of folders between the root and the link. A target from the root
    becomes a relative one, and ".." at its beginning ends at the root.
    """
    names = names_of(target)
    up = 0
    while up < len(names) and names[up] == "..":
        up += 1
    above = depth if target.startswith("/") else min(up, depth)
    return "/".join([".."] * above + names[up:]) or "."
