"""The CPU of whole containers: each is put into a control group of its own, which outlives it.

The engine forgets a container's own group when it ends. The group around it keeps the sum of all
that ran inside, the runtime's own first steps too; it is the same for every kind of container.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CGROUPS = Path("/sys/fs/cgroup")
PREFIX = "leoflow-bench"


class CpuMeter:
    """Names control groups and reads them. ``why_not``: nothing is measured, for this reason."""

    def __init__(self, run: str, why_not: str | None = None, cgroups: Path = CGROUPS) -> None:
        self.why_not = why_not
        self._name = f"{PREFIX}-{run}"
        self._cgroups = cgroups

    def parent(self, container: str) -> str | None:
        """Return what CgroupParent of this container has to be."""
        return None if self.why_not else f"/{self._name}/{container}"

    def cpu_ms(self, container: str) -> float | None:
        """Return the milliseconds of CPU that a container took; None if that is not known."""
        if self.why_not:
            return None
        for root in ("cpuacct", "cpu,cpuacct", "unified", ""):
            folder = self._cgroups / root / self._name / container
            with suppress(OSError):
                return int((folder / "cpuacct.usage").read_text("ascii")) / 1e6
            with suppress(OSError):
                words = (folder / "cpu.stat").read_text("ascii").split()
                if "usage_usec" in words:
                    return int(words[words.index("usage_usec") + 1]) / 1e3
        return None

    def close(self) -> None:
        """Remove all groups; those that are in use stay."""
        for top in (*self._cgroups.glob(self._name), *self._cgroups.glob(f"*/{self._name}")):
            for folder, _, _ in os.walk(top, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()


@contextmanager
def find_meter(client: Any, run: str) -> Iterator[CpuMeter]:
    """Give the meter for an engine, and leave no control group behind."""
    meter = CpuMeter(run, _why_not(str(client.base_url), client.info()))
    try:
        yield meter
    finally:
        meter.close()


def _why_not(address: str, info: dict[str, Any]) -> str | None:
    if not address.startswith("http+docker://"):
        return "the engine is not on this machine"
    if info.get("CgroupDriver") != "cgroupfs":
        return f"the engine's control groups are '{info.get('CgroupDriver')}', not 'cgroupfs'"
    if not CGROUPS.is_dir():
        return f"there is no '{CGROUPS}'"
    return None
