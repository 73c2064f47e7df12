"""What can become of a Pod: one function for each, by the name that the variable FATE has."""

from __future__ import annotations

from emulator.kubelet import Fate, Life


async def run(life: Life) -> None:
    """Run to the container's own end."""
    await life.begin()
    await life.start()
    await life.end()


FATES: dict[str, Fate] = {"run": run}
