"""Builds a project twice, the second time from an empty cache, and compares the manifests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from leoflow_builder.assemble import Assembly, Options, assemble
from leoflow_builder.failure import BuildError
from leoflow_builder.oci.image import OciImage, make_image
from leoflow_builder.scratch import scratch_folder

Say = Callable[[str], None]
# What was downloaded is named by its own digest, and need not be fetched again.
DOWNLOADS = ("debs", "pex", "uv")


class NotReproducible(BuildError):
    """Two builds of the same project differ."""


def verify_project(folder: Path, home: Path, say: Say, options: Options) -> str:
    """Return the digest of the manifest that both builds gave; NotReproducible if they differ.

    leoflow.lock has to fit the project, as it does after a build. Nothing is delivered.
    """
    strict = replace(options, wish=replace(options.wish, locked=True))
    first = assemble(folder, home, say, strict)
    cache = home.absolute() / "cache"
    (cache / "builds").mkdir(exist_ok=True)
    with scratch_folder("verifying-", cache / "builds") as empty:
        (empty / "cache").mkdir()
        for name in DOWNLOADS:
            (cache / name).mkdir(exist_ok=True)
            (empty / "cache" / name).symlink_to(cache / name, target_is_directory=True)
        second = assemble(folder, empty, say, strict)
        pairs = zip(_images(first), _images(second), strict=True)
        for one, other in pairs:
            _compare(one, other, first)
    return _images(first)[0].manifest.digest


def _images(assembly: Assembly) -> list[OciImage]:
    planned = [part.planned for part in assembly.parts]
    return [make_image(one.plan, one.layers, one.below) for one in planned]


def _compare(one: OciImage, other: OciImage, assembly: Assembly) -> None:
    if one.manifest.digest == other.manifest.digest:
        return
    names = [layer.name for layer in assembly.first.layers]
    layers = zip(names, one.layers[-len(names) :], other.layers[-len(names) :], strict=True)
    different = [name for name, mine, theirs in layers if mine.digest != theirs.digest]
    what = f"the layers {', '.join(different)}" if different else "the configuration"
    raise NotReproducible(
        f"a second build of '{assembly.tag}' gave '{other.manifest.digest}' for {one.platform} "
        f"instead of '{one.manifest.digest}': {what} differ. Prune the cache with `leoflow cache "
        "prune --all` and build again; if they still differ, please report it"
    )
