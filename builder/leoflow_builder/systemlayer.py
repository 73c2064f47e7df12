"""The layer of Debian packages beyond the base: those a project declares, and the shell.

Their maintainer scripts are not run: of what these would do, alternatives are linked, and the rest
is said. The base is the same for all projects and stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leoflow_builder.aptindex import AptIndex, Index
from leoflow_builder.baseimage import BaseImage, for_architecture
from leoflow_builder.cache import is_kept, make_key
from leoflow_builder.debarchive import DebCache, control_file, extract, merged
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.debpins import obtain, refuse_missing
from leoflow_builder.layer import LayerFolder, ensure_layer, read_layer
from leoflow_builder.maintainerscript import Alternative, alternatives, unmet
from leoflow_builder.problem import count
from leoflow_builder.recipe import (
    BaseImageError,
    Recipe,
    SystemRules,
    load_recipe,
    matches,
    system_rules,
)
from leoflow_builder.rootfs import is_licence, share_copyrights, write_links

Say = Callable[[str], None]
# Raise it when the same packages are to give another tree.
LAYOUT = "1"
LIBRARIES = "usr/lib/{triplet}/*.so*"
# Of glibc a base has all that programs link; the rest is for debuggers.
WHOLE_IN_BASE = ("libc6", "libc-bin")


@dataclass(frozen=True)
class SystemLayer:
    """The layer, and what has to be pinned beyond the base's ``debs`` to get it again.

    A package that a base has for its shell only can be in both, with the same version.
    ``packages`` are all that something of is in the layer.
    """

    folder: LayerFolder
    debs: tuple[DebPackage, ...]

    @property
    def packages(self) -> tuple[DebPackage, ...]:
        return tuple(DebPackage(**one) for one in self.folder.facts["packages"])


def ensure_system(
    names: Sequence[str],
    base: BaseImage,
    home: Path,
    say: Say,
    *,
    shell: bool,
    pins: Sequence[DebPackage] = (),
    strict: bool = False,
) -> SystemLayer:
    """Return the layer of Debian packages by their names, made if it is missing.

    It has what the base lacks of them and of what they depend on; with ``shell`` bash, coreutils
    and grep too. ``pins`` are a layer's ``debs`` and work as in ``ensure_base``. UnknownPackage
    if a name is none of Debian's.
    """
    order = order_of(names, base, shell)
    index = AptIndex(order.recipe.suite, base.architecture, home)
    return make_system(order, home.absolute(), say, index, pins, strict)


def current_system_debs(
    names: Sequence[str], base: BaseImage, home: Path
) -> tuple[DebPackage, ...]:
    """Return the mirror's current packages for a system layer, for use as its pins."""
    order = order_of(names, base, shell=False)
    return _resolve(order, AptIndex(order.recipe.suite, base.architecture, home))


@dataclass(frozen=True)
class Order:
    """What a system layer is to have, and for which base."""

    base: BaseImage
    names: tuple[str, ...]
    shell: bool

    @property
    def recipe(self) -> Recipe:
        minor = ".".join(self.base.python_version.split(".")[:2])
        return load_recipe(minor, self.base.architecture)

    @property
    def key(self) -> str:
        """Name all layers for this order, whatever versions they are made of."""
        described = [LAYOUT, system_rules().text, self.base.layer.diff_id, str(self.shell)]
        return make_key([*described, *self.names])

    @property
    def shell_debs(self) -> list[DebPackage]:
        """The packages of the shell, as the base has them pinned."""
        of_shell = system_rules().shell_packages
        return [one for one in self.base.debs if self.shell and one.name in of_shell]


def order_of(names: Sequence[str], base: BaseImage, shell: bool) -> Order:
    """Return the order for package names in any sequence; who names bash gets a shell."""
    return Order(base, tuple(sorted(set(names))), shell or "bash" in names)


def make_system(
    order: Order,
    home: Path,
    say: Say,
    index: Index,
    pins: Sequence[DebPackage] = (),
    strict: bool = False,
) -> SystemLayer:
    """Return the layer for an order, with an index to resolve and fetch by."""
    parent, cache = home / "cache" / "system", DebCache(home)
    pinned = for_architecture(pins, order.base.architecture)
    debs = pinned or _known(parent, order) or _resolve(order, index)
    _refuse_incomplete(order, debs)
    named_in_base = [one for one in order.base.packages if one.name in order.names]
    shell = [one for one in order.shell_debs if one.name not in {deb.name for deb in debs}]
    wanted = tuple(sorted({*debs, *named_in_base, *shell}))
    folder = parent / _key(order, debs)
    if not is_kept(folder):
        had = obtain(wanted, index, cache, say, strict)
        refuse_missing(had, cache)
        current = {one.name: one for one in had}
        debs = tuple(current[one.name] for one in debs)
        say(f"system packages: unpacking {count(len(had), 'package')}")
        wanted = had
    fill = _filler(order, {one.name: one for one in wanted}, debs, cache, say)
    made = ensure_layer("system", parent, _key(order, debs), fill)
    return SystemLayer(made, tuple(DebPackage(**one) for one in made.facts["debs"]))


def _key(order: Order, debs: Iterable[DebPackage]) -> str:
    shell = [one.sha256 for one in order.shell_debs]
    return f"{order.key}-{make_key([*shell, *(one.sha256 for one in debs)])}"


def _known(parent: Path, order: Order) -> tuple[DebPackage, ...]:
    """Return the packages of the newest layer in the cache for an order, or none."""
    made = parent.glob(f"{order.key}-*/layer.json")
    newest = max(made, key=lambda file: (file.stat().st_mtime_ns, file), default=None)
    if newest is None or not is_kept(newest.parent):
        return ()
    known = read_layer("system", newest.parent, reused=True)
    return tuple(DebPackage(**one) for one in known.facts["debs"])


def _resolve(order: Order, index: Index) -> tuple[DebPackage, ...]:
    if not order.names:
        return ()
    pinned = {one.name: one for one in order.base.debs}
    own = {one.name for one in order.base.packages}
    rules, found = system_rules(), index.closure(order.names)
    asked = {*order.names, *(rules.companions.get(one.name, "") for one in found)}
    return tuple(
        pinned.get(one.name, one)
        for one in found
        if one.name not in own and (one.name in asked or one.name not in rules.unneeded)
    )


def _refuse_incomplete(order: Order, debs: Iterable[DebPackage]) -> None:
    known = {one.name for one in (*debs, *order.base.packages)}
    lacking = [name for name in order.names if name not in known]
    if lacking:
        raise BaseImageError(
            f"leoflow.lock pins no '{lacking[0]}', which the project declares. Run `leoflow lock`"
        )


def _filler(
    order: Order,
    packages: Mapping[str, DebPackage],
    debs: Sequence[DebPackage],
    cache: DebCache,
    say: Say,
) -> Callable[[Path], dict[str, Any]]:
    rules, whole = system_rules(), {*order.names, *(one.name for one in debs)}

    def fill(tree: Path) -> dict[str, Any]:
        for name, package in sorted(packages.items()):
            wants = _wants(name, name in whole, order, rules)
            extract(cache.path(package), tree, wants)
        _complete(tree, order, cache)
        _link_alternatives(tree, order, _scripts(packages, whole, cache), say)
        if order.shell:
            write_links(tree, rules.shell_links.items())
        share_copyrights(tree)
        return {
            "debs": [asdict(one) for one in debs],
            "packages": [asdict(one) for one in packages.values()],
        }

    return fill


def _wants(name: str, whole: bool, order: Order, rules: SystemRules) -> Callable[[str], bool]:
    triplet, rootfs = order.recipe.triplet, order.base.rootfs

    def wants(path: str) -> bool:
        if os.path.lexists(rootfs / path):
            return False
        if is_licence(path, name):
            return True
        return rules.wants(path) if whole else rules.wants_for_shell(path, triplet)

    return wants


def _complete(tree: Path, order: Order, cache: DebCache) -> None:
    """Add what the base leaves out of its own packages' libraries, and a program here links."""
    pattern = (LIBRARIES,)
    texts = [file.read_bytes() for file in tree.rglob("*") if _is_program(file)]

    def wants(path: str) -> bool:
        name = b"\0%b\0" % path.rpartition("/")[2].encode()
        library = matches(path, pattern, order.recipe.triplet)
        return (
            library
            and not os.path.lexists(order.base.rootfs / path)
            and any(name in text for text in texts)
        )

    for package in order.base.packages:
        archive = cache.path(package)
        if not texts or package.name in WHOLE_IN_BASE or not archive.exists():
            continue
        for path in extract(archive, tree, wants):
            _follow(tree, path, archive)


def _follow(tree: Path, path: str, archive: Path) -> None:
    if (tree / path).is_symlink():
        target = f"{path.rpartition('/')[0]}/{(tree / path).readlink()}"
        extract(archive, tree, lambda other: other == target)


def _is_program(file: Path) -> bool:
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as content:
        return content.read(4) == b"\x7fELF"


def _scripts(
    packages: Mapping[str, DebPackage], whole: set[str], cache: DebCache
) -> dict[str, str]:
    return {
        name: control_file(cache.path(package), "postinst")
        for name, package in sorted(packages.items())
        if name in whole
    }


def _link_alternatives(tree: Path, order: Order, scripts: Mapping[str, str], say: Say) -> None:
    """Make the links of `update-alternatives`, and say what else the scripts would have done."""
    found: list[Alternative] = []
    for package, script in scripts.items():
        offered, readable = alternatives(script)
        found += offered
        undone = [*unmet(script), *([] if readable else ["update-alternatives"])]
        if undone:
            say(f"system package '{package}': its installation runs {', '.join(undone)}, not done")
    for one in sorted(found):
        link, target = merged(one.link), merged(one.target)
        if (tree / target).exists() or (order.base.rootfs / target).exists():
            write_links(tree, [(link, os.path.relpath(target, Path(link).parent))])
    _say_library_folders(tree, say)


def _say_library_folders(tree: Path, say: Say) -> None:
    for file in sorted(tree.glob("etc/ld.so.conf.d/*.conf")):
        say(f"system packages: '{file.name}' names folders of libraries, which are not searched")
