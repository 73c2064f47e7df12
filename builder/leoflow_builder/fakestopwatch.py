"""A stopwatch for tests, which measures nothing and keeps to the contract of the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leoflow_builder.importtime import Import
from leoflow_builder.stopwatch import MeasureError, Probe, Timing


@dataclass
class FakeStopwatch:
    """Tells for each module the given timings, in turn, and the given imports."""

    timings: Mapping[str, Sequence[Timing]]
    imports: Mapping[str, Sequence[Import]]
    starts: list[Probe] = field(default_factory=list)

    def time_start(self, probe: Probe) -> Timing:
        """See `Stopwatch`."""
        if probe.module not in self.timings:
            raise MeasureError(f"task '{probe.task_id}' cannot be measured: no '{probe.module}'")
        given = self.timings[probe.module]
        self.starts.append(probe)
        return given[(len(self.starts) - 1) % len(given)]

    def trace_imports(self, probe: Probe) -> str:
        """See `Stopwatch`."""
        if probe.module not in self.imports:
            raise MeasureError(f"task '{probe.task_id}' cannot be measured: no '{probe.module}'")
        header = "import time: self [us] | cumulative | imported package\n"
        return header + "".join(render(node) for node in self.imports[probe.module])


def render(node: Import, depth: int = 0) -> str:
    """Return what the interpreter writes for an import, children first."""
    below = "".join(render(child, depth + 1) for child in node.children)
    indent = "  " * depth
    return (
        f"{below}import time: {node.self_us:>9} | {node.cumulative_us:>10} | {indent}{node.name}\n"
    )
