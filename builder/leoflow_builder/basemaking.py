"""Makes a slim base image out of pinned packages, and keeps it in leoflow's cache.

It knows no container engine: what it gives is a folder and the layer's blob.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leoflow_builder import (
    base_check,
    bytecode,
    foreign_check,
    interpreter,
    layerblob,
    layertar,
    rootfs,
)
from leoflow_builder.aptindex import AptIndex, Index
from leoflow_builder.baseimage import BaseImage, Say, base_key, ensure_base, read_base
from leoflow_builder.cache import ensure_folder, is_kept
from leoflow_builder.debarchive import DebCache
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.debpins import obtain, refuse_missing
from leoflow_builder.interpreter import RootfsInterpreter
from leoflow_builder.layer import BLOB, describe
from leoflow_builder.problem import count
from leoflow_builder.recipe import (
    BaseImageError,
    Recipe,
    RecipeText,
    host_architecture,
    load_recipe,
    parse_recipe,
    system_rules,
)

CHECK_SECONDS = 60.0
NEEDED_BYTES = 250 * 10**6
# Without columns of code in it, bytecode is smaller by a tenth; the lines stay. See docs/.
COMPILE_OPTIONS = ("-X", "no_debug_ranges")


def make_base(
    written: RecipeText, pins: Sequence[DebPackage], home: Path, say: Say, strict: bool
) -> BaseImage:
    """Return a base that is not in the cache yet; see `baseimage.ensure_base`."""
    wanted, place = parse_recipe(written.text, written.architecture), _Place(home.absolute(), say)
    if not pins:
        return _ensure(wanted, _current(wanted, place), place, strict)
    _refuse_incomplete(pins, wanted)
    return _ensure(wanted, tuple(pins), place, strict)


def current_debs(
    python_version: str, home: Path, say: Say, *, architecture: str | None = None
) -> tuple[DebPackage, ...]:
    """Return what a base of the mirror's current packages is made of, for use as its pins."""
    wanted = load_recipe(python_version, architecture or host_architecture())
    return _current(wanted, _Place(home.absolute(), say))


@dataclass(frozen=True)
class _Place:
    home: Path
    say: Say

    @property
    def bases(self) -> Path:
        return self.home / "cache" / "bases"

    @property
    def debs(self) -> DebCache:
        return DebCache(self.home)

    def index(self, wanted: Recipe) -> Index:
        return AptIndex(wanted.suite, wanted.architecture, self.home)


def _current(wanted: Recipe, place: _Place) -> tuple[DebPackage, ...]:
    place.say(f"base image {wanted.name}: asking the mirror for Debian {wanted.suite}")
    names = [*wanted.packages, *system_rules().shell_roots]
    found = place.index(wanted).closure(names)
    return tuple(one for one in found if one.name not in wanted.without)


def _refuse_incomplete(pins: Sequence[DebPackage], wanted: Recipe) -> None:
    names = {one.name for one in pins}
    lacking = [name for name in wanted.packages if name not in names]
    if lacking:
        raise BaseImageError(
            f"leoflow.lock pins no '{lacking[0]}', of which the base image for Python "
            f"{wanted.python} is made too. Run `leoflow lock --upgrade`"
        )


def _ensure(wanted: Recipe, debs: tuple[DebPackage, ...], place: _Place, strict: bool) -> BaseImage:
    folder = place.bases / base_key(wanted, debs)
    if is_kept(folder):
        return read_base(folder, reused=True)
    _require_space(place.home)
    own, shell = _split(debs)
    missing = place.debs.missing(own)
    if missing:
        place.say(f"base image {wanted.name}: fetching {count(len(missing), 'package')}")
    had = obtain(own, place.index(wanted), place.debs, place.say, strict)
    refuse_missing(had, place.debs)
    debs = tuple(sorted({*had, *shell}))
    folder, reused = ensure_folder(
        place.bases,
        base_key(wanted, debs),
        lambda new: _guarded(lambda: _build(new, wanted, debs, place)),
    )
    return read_base(folder, reused)


def _split(debs: Iterable[DebPackage]) -> tuple[list[DebPackage], list[DebPackage]]:
    """Part what a base is made of from what only its shell is made of."""
    of_shell = system_rules().shell_packages
    debs = list(debs)
    own = [one for one in debs if one.name not in of_shell]
    return own, [one for one in debs if one.name in of_shell]


def _require_space(home: Path) -> None:
    """Refuse a disk that would fill up, on which apt waits for ever instead of failing."""
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < NEEDED_BYTES:
        raise BaseImageError(
            f"making a base image takes {NEEDED_BYTES // 10**6} MB for a while, and '{home}' has "
            f"{free // 10**6} MB left. Free some space, or set LEOFLOW_HOME to another disk"
        )


def _guarded(make: Callable[[], None]) -> None:
    try:
        make()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise BaseImageError(
            "the disk is full. Free some space, or set LEOFLOW_HOME to another disk"
        ) from error


def _build(result: Path, wanted: Recipe, debs: tuple[DebPackage, ...], place: _Place) -> None:
    started = time.monotonic()
    own, _ = _split(debs)
    root = result / "rootfs"
    place.say(f"base image {wanted.name}: unpacking {count(len(own), 'package')}")
    rootfs.assemble({one.name: place.debs.path(one) for one in own}, root, wanted)
    place.say(f"base image {wanted.name}: compiling the standard library")
    facts = _compile_and_check(root, wanted, own, place)
    rootfs.drop_sources(root, wanted)
    rootfs.set_modes(root, wanted)
    layertar.set_times(root)
    place.say(f"base image {wanted.name}: compressing")
    packed = layerblob.pack_layer(root, result / BLOB, wanted.owners, "seldom")
    facts["layer"] = describe(packed, root)
    facts["packages"] = [asdict(one) for one in own]
    facts["debs"] = [asdict(one) for one in debs]
    _write_facts(result, wanted, facts)
    seconds = time.monotonic() - started
    size = facts["layer"]["size_bytes"] / 1e6
    place.say(f"base image {wanted.name}: {size:.1f} MB compressed, in {seconds:.0f} s")


def _compile_and_check(
    root: Path, wanted: Recipe, own: Sequence[DebPackage], place: _Place
) -> dict[str, Any]:
    native = wanted.architecture == host_architecture()
    python = _native_python(root) if native else _foreign_python(root, wanted, place)
    library = f"usr/lib/python{wanted.python}"
    sources = bytecode.sources_below(root / library)
    failed = bytecode.compile_sources(
        python, root / library, f"/{library}", sources, COMPILE_OPTIONS
    )
    if failed:
        raise BaseImageError(f"the standard library does not compile: {failed}")
    if not native:
        foreign_check.check(root, wanted.architecture)
        return _facts_of(own, wanted)
    done = python.run(
        [str(base_check.__file__), str(root.resolve())], timeout_seconds=CHECK_SECONDS
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        raise BaseImageError(f"the new base image {wanted.name} does not work:\n{said}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _native_python(root: Path) -> RootfsInterpreter:
    interpreter.write_loader(root)
    return RootfsInterpreter(root)


def _foreign_python(root: Path, wanted: Recipe, place: _Place) -> RootfsInterpreter:
    """Return this machine's Python of the same minor version, whose bytecode has to be the same."""
    native = ensure_base(wanted.python, place.home, place.say)
    library = f"usr/lib/python{wanted.python}"
    numbers = [foreign_check.magic_number(one / library) for one in (root, native.rootfs)]
    if numbers[0] != numbers[1]:
        raise BaseImageError(
            f"Python {wanted.python} of {wanted.architecture} has bytecode {numbers[0]}, and "
            f"{native.architecture} has {numbers[1]}. Run `leoflow lock --upgrade`"
        )
    return RootfsInterpreter(native.rootfs)


def _facts_of(own: Sequence[DebPackage], wanted: Recipe) -> dict[str, Any]:
    """Tell the versions by the packages', where nothing of the base can run."""
    versions = {one.name: one.version.rpartition(":")[2] for one in own}
    found = {
        "python_version": versions.get(f"libpython{wanted.python}-minimal", ""),
        "glibc": versions.get("libc6", ""),
    }
    return {key: re.split(r"[-~+]", version)[0] for key, version in found.items()}


def _write_facts(result: Path, wanted: Recipe, facts: dict[str, Any]) -> None:
    facts |= {
        "architecture": wanted.architecture,
        "python": f"/usr/bin/python{wanted.python}",
        "site_packages": f"/usr/local/lib/python{wanted.python}/dist-packages",
    }
    text = json.dumps(facts, indent=1, sort_keys=True)
    (result / "base.json").write_text(text + "\n", encoding="utf-8")
