"""Chooses one wheel of several for a target, as an installer would. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from leoflow_builder.target import Target, compatible_tags


@dataclass(frozen=True)
class OfferedWheel:
    """A wheel of a package's version; ``sha256`` is in hexadecimal, None if nobody said it."""

    filename: str
    sha256: str | None


def choose_wheel(offered: Iterable[OfferedWheel], target: Target) -> OfferedWheel | None:
    """Return the wheel whose tags stand first in the target's order; None if none fits.

    Of equals the higher build number wins, then the name: the order of ``offered`` is lost.
    """
    ranks = tag_ranks(target)
    fitting = [(key, one) for one in offered if (key := _key(one.filename, ranks)) is not None]
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None


def tag_ranks(target: Target) -> Mapping[Tag, int]:
    """Return the place of every tag that fits a target, best first."""
    return {tag: rank for rank, tag in enumerate(compatible_tags(target))}


def allowed(offered: Iterable[OfferedWheel], hashes: Collection[str]) -> list[OfferedWheel]:
    """Return the wheels that are one of the files in ``hashes``; all if that is empty."""
    return [one for one in offered if not hashes or one.sha256 in hashes]


def _key(filename: str, ranks: Mapping[Tag, int]) -> tuple[int, tuple[int, str], str] | None:
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None
    fitting = [ranks[tag] for tag in tags if tag in ranks]
    if not fitting:
        return None
    number, suffix = build or (0, "")
    return min(fitting), (-number, suffix), filename
