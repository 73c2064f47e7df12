"""Whether what was asked of a build goes together, known before anything is made."""

from __future__ import annotations

from pathlib import Path

from leoflow_builder.failure import WishRefused
from leoflow_builder.ignorefile import read_ignored
from leoflow_builder.wish import BuildWish

PLATFORMS = ("linux/amd64", "linux/arm64")


def check_wish(wish: BuildWish, folder: Path) -> None:
    """Raise WishRefused for what cannot be meant; ``folder`` is the project's."""
    for platform in wish.platforms:
        if platform not in PLATFORMS:
            raise WishRefused(
                f"--platform '{platform}' is none that leoflow makes images for. Choose of "
                f"{', '.join(PLATFORMS)}"
            )
    if wish.push and wish.output is not None:
        raise WishRefused("--push and --output exclude each other. Build twice: it costs no time")
    if wish.push and wish.tag is None:
        raise WishRefused("--push needs to know where to. Add --tag HOST/REPOSITORY:TAG")
    if wish.into_engine and len(wish.platforms) > 1:
        raise WishRefused(
            "an engine keeps images for its own platform only. Add --output or --push for "
            f"{','.join(wish.platforms)}"
        )
    if wish.output is not None and _would_be_packed(wish.output.absolute(), folder.resolve()):
        raise WishRefused(
            f"--output '{wish.output}' lies in the project, so the next image would hold this one. "
            "Name a place outside, or add it to .leoflowignore"
        )


def _would_be_packed(output: Path, folder: Path) -> bool:
    place = output.parent.resolve() / output.name
    if not place.is_relative_to(folder):
        return False
    parts = place.relative_to(folder).parts
    rules = read_ignored(folder)
    names = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    is_archive = output.suffix == ".tar"
    return not any(
        rules.leaves_out(name, is_folder=not (is_archive and name == names[-1])) for name in names
    )
