"""Gets the .debs of a set of pins into the cache, or says which the mirror has no more.

It decides nothing about what is in an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from leoflow_builder.aptindex import Index
from leoflow_builder.cachehold import hold
from leoflow_builder.debarchive import DebCache
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.recipe import BaseImageError

Say = Callable[[str], None]


def obtain(
    pins: Sequence[DebPackage], index: Index, cache: DebCache, say: Say, strict: bool
) -> tuple[DebPackage, ...]:
    """Return the packages whose .debs are in the cache now; they are the pins if all can be had.

    Where one is gone, ``strict`` is an error; else the current version is taken, for all pins of
    the same version too, since a source's packages belong together. If the cache has all, nothing
    is asked of the mirror. None of them is pruned while this process lives.
    """
    for one in pins:
        hold(cache.path(one))
    missing = cache.missing(pins)
    if not missing:
        return tuple(pins)
    index.fetch(missing, cache)
    gone = cache.missing(missing)
    if not gone:
        return tuple(pins)
    named = ", ".join(f"'{one.name}' {one.version}" for one in gone)
    if strict:
        raise BaseImageError(
            f"the Debian mirror no longer has {named}, which leoflow.lock pins. "
            "Run `leoflow lock --upgrade`"
        )
    say(f"the Debian mirror no longer has {named}: its current packages are taken instead")
    return _renewed(pins, gone, index, cache)


def _renewed(
    pins: Sequence[DebPackage], gone: Sequence[DebPackage], index: Index, cache: DebCache
) -> tuple[DebPackage, ...]:
    versions = {one.version for one in gone}
    stale = [one.name for one in pins if one.version in versions]
    current = {one.name: one for one in index.closure(stale)}
    renewed = tuple(current[one.name] if one.name in stale else one for one in pins)
    missing = cache.missing(renewed)
    for one in missing:
        hold(cache.path(one))
    index.fetch(missing, cache)
    refuse_missing(missing, cache)
    return renewed


def refuse_missing(packages: Iterable[DebPackage], cache: DebCache) -> None:
    """Refuse what the mirror's index names and its archive does not have, as during an update."""
    lost = [f"'{one.name}' {one.version}" for one in cache.missing(packages)]
    if lost:
        raise BaseImageError(
            f"the Debian mirror's index names {', '.join(lost)}, and the mirror does not have it. "
            "Build again, or set LEOFLOW_DEBIAN_MIRROR to another mirror"
        )
