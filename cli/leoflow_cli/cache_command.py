"""``leoflow cache``: what leoflow keeps to be fast, and the removal of what is old."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.home import leoflow_home
from leoflow_cli.option import json_option
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.plain import megabytes, print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leoflow_builder.cachestock import Entry, Pruned, Shelf

DEFAULT_AGE = "30d"
_AGES = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"))


@click.group("cache", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show what is in LEOFLOW_HOME/cache, by kind, with size and last use."""
    if context.invoked_subcommand is not None:
        if as_json:
            raise InvalidInput(f"write --json after '{context.invoked_subcommand}'")
        return
    from leoflow_builder.cachestock import take_stock

    screen = Screen()
    folder = _folder()
    with screen.working("looking through the cache"):
        shelves = take_stock(folder)
    show(folder, shelves, time.time(), screen)
    if as_json:
        kinds = [_as_document(shelf) for shelf in shelves]
        total = sum(shelf.size_bytes for shelf in shelves)
        print_json({"cache": str(folder), "kinds": kinds, "size_bytes": total})


@command.command("prune")
@click.option(
    "--older-than",
    metavar="AGE",
    help=f"Remove what was not used for so long: 12h, 30d, 8w. Default: {DEFAULT_AGE}.",
)
@click.option("--all", "everything", is_flag=True, help="Remove all that is not in use right now.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Only this kind; repeatable.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def prune(
    older_than: str | None, everything: bool, kinds: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Remove what was not used for 30 days, and what builds that were killed left behind."""
    from leoflow_builder import cachestock

    if everything and older_than is not None:
        raise InvalidInput("--all and --older-than exclude each other: choose one")
    screen = Screen()
    folder = _folder()
    seconds = 0.0 if everything else _age_seconds(older_than or DEFAULT_AGE)
    _refuse_unknown(kinds, cachestock.kinds_in(folder))
    choice = cachestock.Choice(time.time() - seconds, kinds or None, dry_run)
    with screen.working("pruning the cache"):
        done = cachestock.prune(folder, choice)
    show_pruned(done, dry_run, screen)
    if as_json:
        print_json(_pruned_document(done, dry_run))


def _folder() -> Path:
    return (leoflow_home() / "cache").resolve()


def _age_seconds(text: str) -> float:
    from leoflow_builder.cachestock import parse_age_seconds

    try:
        return parse_age_seconds(text)
    except ValueError as error:
        raise InvalidInput(f"--older-than {error}") from None


def _refuse_unknown(kinds: Sequence[str], there: Sequence[str]) -> None:
    from leoflow_builder.cachestock import DESCRIPTIONS
    from leoflow_builder.problem import did_you_mean

    known = sorted({*there, *DESCRIPTIONS})
    for kind in kinds:
        if kind not in known:
            hint = did_you_mean(kind, known) or f" There are {', '.join(known)}."
            raise InvalidInput(f"--kind '{kind}' is none of the cache's.{hint}")


def show(folder: Path, shelves: Sequence[Shelf], now: float, screen: Screen) -> None:
    """Print one line for each kind, and what all of it takes on the disk."""
    screen.line(str(folder))
    if not any(shelf.entries for shelf in shelves):
        screen.line("  the cache is empty")
        return
    width = max(len(shelf.kind) for shelf in shelves)
    screen.line(f"  {'':<{width}} {'entries':>8} {'size':>10}  last used", style="dim")
    for shelf in shelves:
        used = "" if shelf.last_used is None else age(now - shelf.last_used)
        count, size = len(shelf.entries), megabytes(shelf.size_bytes)
        line = f"  {shelf.kind:<{width}} {count:>8} {size:>10}  {used:<15}{shelf.description}"
        screen.line(line.rstrip())
    count = sum(len(shelf.entries) for shelf in shelves)
    total = megabytes(sum(shelf.size_bytes for shelf in shelves))
    screen.line(f"  {'':<{width}} {count:>8} {total:>10}  on the disk; shared files count once")


def show_pruned(done: Pruned, dry_run: bool, screen: Screen) -> None:
    """Print what is gone, by kind, what stayed because it is in use, and what that freed."""
    from leoflow_builder.cachestock import disk_bytes
    from leoflow_builder.problem import count

    for kind, entries in _by_kind(done.removed).items():
        size = megabytes(disk_bytes(entries))
        screen.line(f"  {kind:<8} {count(len(entries), 'entry'):>14} {size:>10}")
    if done.leftovers:
        screen.line(f"  {count(len(done.leftovers), 'leftover')} of builds that were ended")
    for kind, entries in _by_kind(done.in_use).items():
        text = f"  {kind:<8} {count(len(entries), 'entry'):>14} in use, kept"
        screen.line(text, style="yellow")
    verb = "would free" if dry_run else "freed"
    removed = f"{verb} {megabytes(done.freed_bytes)}"
    screen.line(removed if done.removed or done.leftovers else "nothing to remove")


def _by_kind(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        kinds.setdefault(entry.kind, []).append(entry)
    return kinds


def age(seconds: float) -> str:
    """Return how long ago something was, for people."""
    for unit_seconds, unit in _AGES:
        number = int(seconds // unit_seconds)
        if number >= 1:
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def _as_document(shelf: Shelf) -> dict[str, Any]:
    return {
        "kind": shelf.kind,
        "description": shelf.description or None,
        "entries": len(shelf.entries),
        "size_bytes": shelf.size_bytes,
        "last_used": shelf.last_used,
    }


def _pruned_document(done: Pruned, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "removed": [_entry_document(entry) for entry in done.removed],
        "in_use": [_entry_document(entry) for entry in done.in_use],
        "leftovers": [str(path) for path in done.leftovers],
        "freed_bytes": done.freed_bytes,
    }


def _entry_document(entry: Entry) -> dict[str, Any]:
    from leoflow_builder.cachestock import disk_bytes

    return {
        "kind": entry.kind,
        "path": str(entry.path),
        "size_bytes": disk_bytes([entry]),
        "last_used": entry.last_used,
    }
