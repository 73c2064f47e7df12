"""The layer of the locked dependencies, shared by all DAGs with the same lock.

Nothing of the project but its lock decides what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leoflow_builder import sitetree
from leoflow_builder.bytecode import compile_sources, sources_below
from leoflow_builder.cache import make_key
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.layer import LayerFolder, ensure_layer
from leoflow_builder.lock import Lock
from leoflow_builder.pextool import Pex
from leoflow_builder.target import Target

# Raise it when the same lock is to give another tree.
LAYOUT = "1"


@dataclass(frozen=True)
class Installation:
    """Where the image's Python is and where it looks for packages, both inside the image."""

    python: str
    site_packages: str

    @property
    def prefix(self) -> str:
        """The folder that holds bin and share: /usr/local for /usr/local/lib/python3.11/…"""
        return self.site_packages.rpartition("/lib/")[0]

    def site_in(self, tree: Path) -> Path:
        """Return the site folder in a tree that mirrors the image's root."""
        return tree / self.site_packages.lstrip("/")


def deps_key(lock: Lock, target: Target, place: Installation) -> str:
    """Return the key of a deps layer."""
    packages = [f"{one.name} {one.version} {one.sha256}" for one in lock.packages]
    described = [LAYOUT, target.python_version, target.platform, place.python, place.site_packages]
    return make_key([*described, *packages])


def deps_folder(lock: Lock, target: Target, place: Installation, home: Path) -> Path:
    """Return where a deps layer is kept; it exists if the layer was made before."""
    return home.absolute() / "cache" / "deps" / deps_key(lock, target, place)


def ensure_deps(
    lock: Lock, target: Target, place: Installation, interpreter: Interpreter, pex: Pex, home: Path
) -> LayerFolder | None:
    """Return the deps layer, made if it is missing; None if nothing is locked.

    Unresolvable if a wheel is not to be had, or is not the locked one.
    """
    if not lock.packages:
        return None

    def fill(tree: Path) -> dict[str, Any]:
        site = place.site_in(tree)
        site.parent.mkdir(parents=True)
        pex.unpack(lock, target, site)
        sitetree.arrange(site, tree / place.prefix.lstrip("/"), place.python)
        failed = compile_sources(interpreter, site, place.site_packages, sources_below(site))
        return {"has_pth": sitetree.has_pth(site), "not_compiled": sorted(failed)}

    folder = deps_folder(lock, target, place, home)
    return ensure_layer("deps", folder.parent, folder.name, fill)
