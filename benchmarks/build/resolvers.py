"""Measures uv against pex, as what resolves and as what unpacks, with cold and warm caches.

    python -m benchmarks.build.resolvers [--rounds 3] [--json FILE]

Both run through leoflow's own seam, in turns, so that a slow minute of the network meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from leoflow_builder.pextool import Pex
from leoflow_builder.pipconfig import read_pip_settings, translate
from leoflow_builder.target import Target
from leoflow_builder.uvtool import Uv
from leoflow_builder.wheeltool import Wanted, WheelTool

TARGET = Target("3.11.2", "2.36", "amd64")
SETS = {
    "pandas": ("pandas", "requests"),
    "sklearn": ("scikit-learn",),
    "web": ("aiohttp", "httpx", "jinja2", "pydantic", "sqlalchemy"),
}
Seconds = dict[str, dict[str, list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    measured: Seconds = {}
    for _ in range(options.rounds):
        for name, requirements in SETS.items():
            for tool, make in (("uv", _uv), ("pex", Pex)):
                for step, seconds in _measure(make, requirements).items():
                    measured.setdefault(f"{name} {step}", {}).setdefault(tool, []).append(seconds)
                    print(f"{name} {step} {tool} {seconds:.2f}", file=sys.stderr)
        # After each round, so that whoever stops it has what was measured.
        if options.json:
            options.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(_table(measured))


def _uv(root: Path) -> WheelTool:
    return Uv(root, translate(read_pip_settings(os.environ), os.environ))


def _measure(make: Callable[[Path], WheelTool], requirements: tuple[str, ...]) -> dict[str, float]:
    """Return the seconds of each step, on a cache that is empty at first."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        tool, wanted = make(Path(work, "cache")), Wanted(requirements)
        seconds: dict[str, float] = {}
        for state in ("cold", "warm"):
            started = time.perf_counter()
            packages = tool.resolve(wanted, TARGET)
            resolved = time.perf_counter()
            tool.unpack(packages, TARGET, Path(work, state))
            seconds[f"resolve {state}"] = resolved - started
            seconds[f"unpack {state}"] = time.perf_counter() - resolved
        return seconds


def _table(measured: Seconds) -> str:
    lines = ["| what | uv, s | pex, s | pex / uv |", "|---|---|---|---|"]
    for name, tools in measured.items():
        uv, pex = (statistics.median(tools[tool]) for tool in ("uv", "pex"))
        lines.append(f"| {name} | {uv:.2f} | {pex:.2f} | {pex / uv:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
