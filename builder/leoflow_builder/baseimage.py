"""Finds a slim base image in leoflow's cache, and has it made of pinned packages if it is missing.

It makes nothing: that is `basemaking`'s, which takes long to load.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leoflow_builder.cache import is_kept, read_facts
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.layer import BLOB, Layer
from leoflow_builder.recipe import Recipe, RecipeText, host_architecture, read_recipe, system_text

Say = Callable[[str], None]
# A change in any of these modules can change a base, so each is part of its key.
MAKERS = (
    "base_check",
    "bytecode",
    "compile_worker",
    "debarchive",
    "foreign_check",
    "interpreter",
    "layerblob",
    "layertar",
    "recipe",
    "rootfs",
)


@dataclass(frozen=True)
class BaseImage:
    """A base image in the cache. `python` and `site_packages` are paths inside the image.

    `packages` are those that it was made of; `debs` are what has to be pinned to get it and its
    shell again. `architecture` is OCI's word; the Python runs here only if it is this machine's.
    """

    key: str
    architecture: str
    rootfs: Path
    layer: Layer
    python: str
    site_packages: str
    python_version: str
    glibc: str
    packages: tuple[DebPackage, ...]
    debs: tuple[DebPackage, ...]


def ensure_base(
    python_version: str,
    home: Path,
    say: Say,
    *,
    architecture: str | None = None,
    pins: Sequence[DebPackage] = (),
    strict: bool = False,
) -> BaseImage:
    """Return the base image for a Python minor version such as "3.11", made if it is missing.

    `home` is LEOFLOW_HOME, `architecture` OCI's word. `pins` are a base's `debs`; those of other
    architectures do not count. With them exactly these packages are used, except for what the
    mirror no longer has: that is said, or with `strict` a BaseImageError. Without them the newest
    base in the cache is taken, or one of the mirror's current packages is made. It takes apt and
    a mirror, but neither root nor an engine.
    """
    wanted = read_recipe(python_version, architecture or host_architecture())
    bases = home.absolute() / "cache" / "bases"
    pins = for_architecture(pins, wanted.architecture)
    found = bases / base_key(wanted, pins) if pins else _newest(bases, wanted)
    if found is not None and is_kept(found):
        return read_base(found, reused=True)
    from leoflow_builder.basemaking import make_base

    return make_base(wanted, pins, home, say, strict)


def for_architecture(pins: Iterable[DebPackage], architecture: str) -> tuple[DebPackage, ...]:
    """Return the pins that count for an architecture in Debian's words, sorted."""
    return tuple(sorted({one for one in pins if one.architecture in (architecture, "all")}))


def recipe_key(wanted: Recipe | RecipeText) -> str:
    """Name all bases of a recipe, whatever packages they are made of."""
    parts = [wanted.text, system_text(), wanted.architecture]
    here = Path(__file__)
    parts += [here.with_name(f"{name}.py").read_text(encoding="utf-8") for name in MAKERS]
    return f"{wanted.name}-{_digest(parts)}"


def base_key(wanted: Recipe | RecipeText, debs: Iterable[DebPackage]) -> str:
    """Name a base by all that decides its content."""
    return f"{recipe_key(wanted)}-{_digest(one.sha256 for one in sorted(debs))}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _newest(bases: Path, wanted: RecipeText) -> Path | None:
    made = bases.glob(f"{recipe_key(wanted)}-*/base.json")
    newest = max(made, key=lambda file: (file.stat().st_mtime_ns, file), default=None)
    return newest.parent if newest else None


def read_base(folder: Path, reused: bool) -> BaseImage:
    """Return the base in a folder of the cache."""
    facts = read_facts(folder / "base.json")
    packages = tuple(DebPackage(**one) for one in facts.pop("packages"))
    debs = tuple(DebPackage(**one) for one in facts.pop("debs"))
    layer = Layer("base", folder / BLOB, **facts.pop("layer"), reused=True)
    return BaseImage(
        key=folder.name,
        rootfs=folder / "rootfs",
        layer=replace(layer, reused=reused),
        packages=packages,
        debs=debs,
        **facts,
    )
