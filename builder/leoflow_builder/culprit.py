"""Names what to look at when an image is over its budget: an import, a layer, a package. Pure but
for the project's sources, which say where something is imported.
"""

from __future__ import annotations

from collections.abc import Sequence

from leoflow_builder.importsource import ProjectCode
from leoflow_builder.importtime import Import
from leoflow_builder.layerreport import LayerReport
from leoflow_builder.packagesize import PackageSize
from leoflow_builder.quantity import format_cpu

MEGABYTE = 1_000_000
PACKAGES_NAMED = 3


def blame_import(roots: Sequence[Import], module: str, code: ProjectCode) -> str:
    """Name the import that takes most of the time: "pandas 212 ms of 240, imported at dag.py:3".

    It follows the slowest import of each of the project's modules, and stops where that leaves the
    project or where a module's own lines take longer than all that it imports.
    """
    slowest = max(roots, key=lambda node: node.cumulative_us, default=None)
    if slowest is None:
        return "the interpreter told no import"
    total = f"{_ms(slowest)} ms"
    if slowest.name != module:
        # As a .pth file of a package does.
        return f"{slowest.name} {total}, imported before '{module}' by what is installed"
    node, place = slowest, None
    while code.file_of(node.name) is not None:
        child = max(node.children, key=lambda one: one.cumulative_us, default=None)
        if child is None or child.cumulative_us <= node.self_us:
            return _blame_own(node, place, total, code)
        place = code.place_of(node.name, child.name)
        node = child
    where = f", imported at {place}" if place else ""
    return f"{node.name} {_ms(node)} of {total}{where}"


def _blame_own(node: Import, place: str | None, total: str, code: ProjectCode) -> str:
    own = f"{node.self_us / 1000:.0f}"
    where = f", imported at {place}" if place else ""
    return f"{code.file_of(node.name)} itself {own} of {total}, outside of functions{where}"


def blame_start(
    start_ms: float, import_ms: float, import_culprit: str, cpu_limit_millis: int | None
) -> str:
    """Name the larger part of the time until user code runs, and a CPU limit that stretches it."""
    parts = f"{start_ms:.0f} ms until the agent imports, {import_ms:.0f} ms to import"
    if import_ms >= start_ms:
        parts += f" ({import_culprit})"
    if cpu_limit_millis is not None and cpu_limit_millis < 1000:
        parts += f"; limits.cpu of {format_cpu(cpu_limit_millis)} stretches both"
    return parts


def blame_layer(layers: Sequence[LayerReport], packages: Sequence[PackageSize]) -> str:
    """Name the largest layer and, if it is that of the dependencies, the largest packages."""
    known = [layer for layer in layers if layer.size_bytes]
    if not known:
        return "the sizes of the layers are not known"
    largest = max(known, key=lambda layer: layer.size_bytes or 0)
    text = f"the layer {largest.name} is the largest, {_mb(largest.size_bytes or 0)}"
    if largest.name != "deps" or not packages:
        return text
    named = ", ".join(f"{one.name} {_mb(one.size_bytes)}" for one in packages[:PACKAGES_NAMED])
    return f"{text}; in it, unpacked: {named}"


def _ms(node: Import) -> str:
    return f"{node.cumulative_us / 1000:.0f}"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / MEGABYTE:.1f} MB"
