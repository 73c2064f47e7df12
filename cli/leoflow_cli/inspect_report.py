"""How an image, and the way from one to another, look on a terminal. It reads no image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from leoflow_builder.inspection.difference import (
    Change,
    Difference,
    FileChange,
    LayerChange,
    PackageChange,
)
from leoflow_builder.inspection.insides import PackageView, TaskView
from leoflow_builder.inspection.view import ImageView, LayerView
from leoflow_builder.problem import count

from leoflow_cli.plain import megabytes
from leoflow_cli.screen import Screen

FILES_SHOWN = 12
DIGEST_WIDTH = 19
BOOKKEEPING = ("config.digest", "io.containerd.", "containerd.io/", "org.opencontainers.image.ref.")
PREDICATES = {
    "https://cyclonedx.org/bom": "SBOM (CycloneDX)",
    "https://spdx.dev/Document": "SBOM (SPDX)",
    "https://slsa.dev/provenance/v1": "provenance (SLSA 1)",
    "https://slsa.dev/provenance/v0.2": "provenance (SLSA 0.2)",
}
SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def show(view: ImageView, screen: Screen) -> None:
    """Print everything about an image but its files."""
    screen.line(view.name, "bold")
    _show_facts(view, screen)
    said = {**_about_it(view.index_annotations), **view.annotations}
    _show_said("annotations", said, screen)
    labels = view.config.labels.items()
    _show_said("labels", {k: v for k, v in labels if said.get(k) != v}, screen)
    _show_layers(view.layers, screen)
    screen.line(
        f"  image   {megabytes(view.compressed_bytes):>9}  {megabytes(view.unpacked_bytes):>9}"
    )
    _show_start(view, screen)
    if view.dag is not None:
        screen.line()
        screen.line(f"DAG '{view.dag.dag_id}', Python {view.dag.python_version}", "bold")
        _table([_task_cells(task) for task in view.dag.tasks], screen)
    _show_packages(view, screen)


def show_difference(difference: Difference, screen: Screen) -> None:
    """Print what changed from one image to another."""
    screen.line(f"from {difference.before}", "bold")
    screen.line(f"to   {difference.after}", "bold")
    _heading("layers", screen)
    for layer in difference.layers:
        _show_layer_change(layer, screen)
    screen.line(f"  whoever has the first fetches {megabytes(difference.new_bytes)}")
    if difference.packages:
        _heading("packages", screen)
        _show_changes(difference.packages, screen)
    if difference.config:
        _heading("configuration", screen)
        _show_changes(difference.config, screen)
    if all(one.status == "shared" for one in difference.layers) and not difference.config:
        screen.line("nothing differs", "green")


def _show_facts(view: ImageView, screen: Screen) -> None:
    screen.line(f"  {view.digest}")
    created = f", created {view.created}" if view.created else ""
    screen.line(f"  {view.platform}{created}")
    for kind in view.attestations:
        screen.line(f"  beside it: {PREDICATES.get(kind, kind)}")


def _about_it(annotations: Mapping[str, str]) -> dict[str, str]:
    """Leave out what engines note about where they keep an image."""
    return {k: v for k, v in annotations.items() if not k.startswith(BOOKKEEPING)}


def _show_said(heading: str, said: Mapping[str, str], screen: Screen) -> None:
    if said:
        _heading(heading, screen)
        _pairs(dict(sorted(said.items())), screen)


def _show_layers(layers: Sequence[LayerView], screen: Screen) -> None:
    screen.line()
    screen.line(f"layers    {'compressed':>9}{'unpacked':>10}  {'files':>6}  digest", "bold")
    for layer in layers:
        screen.line(
            f"  {layer.name or '-':<7} {megabytes(layer.size_bytes):>9}"
            f"  {megabytes(layer.unpacked_bytes):>9}  {layer.files:>6}  {_short(layer.digest)}"
        )


def _show_start(view: ImageView, screen: Screen) -> None:
    config = view.config
    _heading("start", screen)
    facts = {
        "entrypoint": " ".join(config.entrypoint),
        "command": " ".join(config.command),
        "user": config.user,
        "folder": config.working_folder,
    }
    for name, value in facts.items():
        if value:
            screen.line(f"  {name:<10}  {value}")
    for name, value in config.environment.items():
        screen.line(f"  {name}={value}")


def _task_cells(task: TaskView) -> tuple[str, ...]:
    return (
        task.task_id,
        task.kind,
        f"cpu {_amounts(_cores(task.cpu_millis), _cores(task.cpu_limit_millis))}",
        f"memory {_amounts(_memory(task.memory_bytes), _memory(task.memory_limit_bytes))}",
    )


def _amounts(request: str | None, limit: str | None) -> str:
    return (request or "?") + (f" of at most {limit}" if limit and limit != request else "")


def _cores(millis: int | None) -> str | None:
    return None if millis is None else f"{millis / 1000:g}"


def _memory(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else f"{size_bytes / (1 << 20):g} MiB"


def _show_packages(view: ImageView, screen: Screen) -> None:
    where = "locked" if view.locked else "installed"
    for origin, spoken in (("pypi", "Python"), ("debian", "Debian")):
        packages = [one for one in view.packages if one.origin == origin]
        if packages:
            screen.line()
            counted = count(len(packages), f"{spoken} package")
            screen.line(f"{counted}, as {where}", "bold")
            _columns([_package(one) for one in packages], screen)


def _package(package: PackageView) -> str:
    return f"{package.name} {package.version}"


def _show_layer_change(layer: LayerChange, screen: Screen) -> None:
    before, after = layer.before, layer.after
    there = after or before
    assert there is not None
    size = megabytes(there.size_bytes)
    if before and after and layer.status == "changed":
        size = f"{megabytes(before.size_bytes)} -> {megabytes(after.size_bytes)}"
    style = "dim" if layer.status == "shared" else SIGNS[layer.status][1]
    screen.line(
        f"  {layer.name or '-':<7} {layer.status:<8} {size}  {_told(layer)}".rstrip(), style
    )
    _show_files(layer.files, screen)


def _told(layer: LayerChange) -> str:
    """Say how many files changed or, if none did, what else makes it another layer."""
    counts = Counter(one.status for one in layer.files)
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    if told:
        return f"files: {told}"
    if layer.status == "changed" and layer.before and layer.after:
        same = layer.before.diff_id == layer.after.diff_id
        return "the same, compressed otherwise" if same else "no file differs, the tar does"
    return ""


def _show_files(files: Sequence[FileChange], screen: Screen) -> None:
    largest = sorted(files, key=lambda one: -max(one.before_bytes or 0, one.after_bytes or 0))
    shown = sorted(largest[:FILES_SHOWN], key=lambda one: one.path)
    for one in shown:
        sign, style = SIGNS[one.status]
        path = _fitted(one.path, screen.console.width - 29, keep_end=True)
        screen.line(f"    {sign} {_sizes(one):>21}  {path}", style)
    if len(files) > len(shown):
        screen.line(f"      and {len(files) - len(shown)} smaller ones; --json has all", "dim")


def _sizes(change: FileChange) -> str:
    known = (change.before_bytes, change.after_bytes)
    sizes = [_exact(one) for one in known if one is not None]
    return " -> ".join(dict.fromkeys(sizes))


def _exact(size_bytes: int) -> str:
    return f"{size_bytes} B" if size_bytes < 1000 else megabytes(size_bytes)


def _show_changes(changes: Iterable[Change | PackageChange], screen: Screen) -> None:
    for one in changes:
        status = "added" if one.before is None else "removed" if one.after is None else "changed"
        sign, style = SIGNS[status]
        room = (screen.console.width - len(one.name) - 10) // 2
        known = (text for text in (one.before, one.after) if text is not None)
        value = " -> ".join(_fitted(text, room) for text in known)
        screen.line(f"  {sign} {one.name}  {value}", style)


def _heading(text: str, screen: Screen) -> None:
    screen.line()
    screen.line(text, "bold")


def _pairs(values: Mapping[str, str], screen: Screen) -> None:
    width = max(map(len, values), default=0)
    for name, value in values.items():
        room = screen.console.width - width - 4
        screen.line(f"  {name:<{width}}  {_fitted(value, room)}")


def _table(rows: Sequence[Sequence[str]], screen: Screen) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        screen.line("  " + "  ".join(cells).rstrip())


def _columns(texts: Sequence[str], screen: Screen) -> None:
    width = max(map(len, texts)) + 2
    across = max(1, (screen.console.width - 2) // width)
    for start in range(0, len(texts), across):
        row = texts[start : start + across]
        screen.line(("  " + "".join(text.ljust(width) for text in row)).rstrip())


def _short(digest: str) -> str:
    return digest[:DIGEST_WIDTH]


def _fitted(text: str, room: int, keep_end: bool = False) -> str:
    """Shorten what would wrap, down to a digest's first digits; --json has all."""
    room = max(room, DIGEST_WIDTH + 1)
    if len(text) <= room:
        return text
    return f"…{text[1 - room :]}" if keep_end else f"{text[: room - 1]}…"
