"""Keeps each locked wheel as the image will have it: unpacked, arranged, compiled, compressed.

A wheel is made once for a Python and a place, whatever else is locked beside it, and shared by all
deps layers. It knows no locks and no layers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder import sitetree
from leoflow_builder.bytecode import compile_trees, sources_below
from leoflow_builder.cache import ensure_folders, make_key, read_facts
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.layer import normalise_modes
from leoflow_builder.layerblob import pack_frame
from leoflow_builder.lock import LockedPackage
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.target import Target
from leoflow_builder.wheeltool import WheelTool

# Raise it when the same wheel is to give another tree or another frame.
LAYOUT = "2"
FRAME = "frame.tar.zst"


@dataclass(frozen=True)
class StoredWheel:
    """A wheel in the cache. ``tree`` mirrors the image's root, ``frame`` is its part of a layer."""

    tree: Path
    frame: Path
    has_pth: bool
    not_compiled: tuple[str, ...]


@dataclass(frozen=True)
class Maker:
    """What makes wheels ready: for which Python, for which place in the image, by which programs.

    ``make_tool`` is called if a wheel is missing.
    """

    target: Target
    place: Installation
    interpreter: Interpreter
    make_tool: Callable[[], WheelTool]


def wheel_key(package: LockedPackage, target: Target, place: Installation) -> str:
    """Return the key of a wheel: whatever has the same gives the same bytes."""
    described = [LAYOUT, package.name, package.version, package.filename, package.sha256]
    described += [target.python_version, target.platform, place.python, place.site_packages]
    return make_key(described)


def ensure_wheels(packages: Sequence[LockedPackage], maker: Maker, home: Path) -> list[StoredWheel]:
    """Return the wheels, sorted by name; those that are missing are made, all in one go.

    Unresolvable if a wheel is not to be had, or is not the locked one.
    """
    keys = {wheel_key(one, maker.target, maker.place): one for one in sorted(packages)}
    parent = home.absolute() / "cache" / "wheels"

    def make(folders: Mapping[str, Path]) -> None:
        _make(dict(sorted((keys[key], folder) for key, folder in folders.items())), maker)

    ensure_folders(parent, keys, make)
    return [_read(parent / key) for key in keys]


def _read(folder: Path) -> StoredWheel:
    facts = read_facts(folder / "wheel.json")
    not_compiled = tuple(facts["not_compiled"])
    return StoredWheel(folder / "tree", folder / FRAME, facts["has_pth"], not_compiled)


def _make(folders: Mapping[LockedPackage, Path], maker: Maker) -> None:
    place = maker.place
    sites = {one: place.site_in(folder / "tree") for one, folder in folders.items()}
    _unpack(sites, maker, next(iter(folders.values())).parent)
    for package, site in sites.items():
        prefix = folders[package] / "tree" / place.prefix.lstrip("/")
        sitetree.arrange(site, prefix, place.python)
    sources = {site: sources_below(site) for site in sites.values()}
    failed = compile_trees(maker.interpreter, sources, place.site_packages)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = [
            pool.submit(_finish, folders[package], site, failed[site])
            for package, site in sites.items()
        ]
        for job in jobs:
            job.result()


def _unpack(sites: Mapping[LockedPackage, Path], maker: Maker, work: Path) -> None:
    """Unpack all in one call, and one by one only where two of them bring the same file."""
    from leoflow_builder.flatsplit import split_flat

    tool = maker.make_tool()
    for site in sites.values():
        site.parent.mkdir(parents=True)
    if len(sites) > 1:
        with scratch_folder(".unpacking-", work) as scratch:
            flat = scratch / "flat"
            tool.unpack(list(sites), maker.target, flat)
            if split_flat(flat, {package.name: site for package, site in sites.items()}):
                return
    for package, site in sites.items():
        tool.unpack([package], maker.target, site)
        for name in sitetree.LEFTOVERS:
            (site / name).unlink(missing_ok=True)


def _finish(folder: Path, site: Path, failed: Mapping[str, str]) -> None:
    tree = folder / "tree"
    normalise_modes(tree)
    pack_frame(tree, folder / FRAME, "files")
    facts = {"has_pth": sitetree.has_pth(site), "not_compiled": sorted(failed)}
    (folder / "wheel.json").write_text(json.dumps(facts), encoding="utf-8")
