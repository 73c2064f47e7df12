"""What runs a Pod's container: a protocol, and a runtime that plays it by the variable BEHAVE.

BEHAVE is what the executors' contract says of it. Without it a container ends with 0 at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from emulator.podstatus import Outcome
from emulator.store import Object

SIGTERM_CODE, SIGKILL_CODE = 143, 137
_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


class Container(Protocol):
    """A container that was started."""

    async def ended(self) -> Outcome:
        """Wait for its end; may be asked again."""

    async def signal(self, name: str) -> None:
        """Send SIGTERM or SIGKILL."""

    async def log(self) -> bytes:
        """Give all that it wrote."""

    async def remove(self) -> None:
        """Remove what is left of it, also if it runs."""


class StartFailed(Exception):
    """The runtime could not start a container; the words are its own."""


class Runtime(Protocol):
    """Starts the containers of Pods."""

    async def start(self, pod: Object) -> Container:
        """Start the container of a Pod. Raises StartFailed."""


class Volumes:
    """What is in the volumes of claims and outlives the Pods that wrote it, by the claim's uid."""

    def __init__(self) -> None:
        self.written: set[str] = set()


class PlayedContainer:
    """A container that nothing runs."""

    def __init__(self, behave: str, folder: str | None, volumes: Volumes) -> None:
        self._behave, _, self._said = behave.partition(":")
        self._folder = folder
        self._volumes = volumes
        self._end: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._lines = b""
        self._play()

    async def ended(self) -> Outcome:
        """Wait for a signal, if it does not end by itself."""
        return await asyncio.shield(self._end)

    async def signal(self, name: str) -> None:
        """End, unless it is stubborn."""
        if self._end.done() or (name == "SIGTERM" and self._behave == "stubborn"):
            return
        self._end.set_result(Outcome(SIGTERM_CODE if name == "SIGTERM" else SIGKILL_CODE))

    async def log(self) -> bytes:
        """Give what it said."""
        return self._lines

    async def remove(self) -> None:
        """End it."""
        await self.signal("SIGKILL")

    def _play(self) -> None:
        match self._behave:
            case "sleep" | "stubborn":
                self._lines = b"ready\n"
            case "print":
                self._lines = f"{self._said}\n".encode()
                self._end.set_result(Outcome(7))
            case "leave":
                self._end.set_result(Outcome(7, message=self._said))
            case "keep":
                self._keep()
            case "find":
                found = self._folder in self._volumes.written
                self._end.set_result(Outcome(0 if found else 1))
            case _:
                self._end.set_result(Outcome(int(self._said or 0)))

    def _keep(self) -> None:
        if self._folder is not None:
            self._volumes.written.add(self._folder)
        self._end.set_result(Outcome(0 if self._folder else 1))


class PlayedRuntime:
    """Plays containers. ``find_claim`` gives the uid of a claim of a namespace, None if absent."""

    def __init__(self, find_claim: Callable[[str, str], str | None]) -> None:
        self._find_claim = find_claim
        self._volumes = Volumes()

    async def start(self, pod: Object) -> PlayedContainer:
        """Play the Pod's first container."""
        variables = variables_of(pod)
        folder = None
        for volume in pod["spec"].get("volumes") or ():
            if claim := volume.get("persistentVolumeClaim"):
                folder = self._find_claim(pod["metadata"]["namespace"], claim["claimName"])
        return PlayedContainer(variables.get("BEHAVE", ""), folder, self._volumes)


def variables_of(pod: Object) -> dict[str, str]:
    """Give the variables of a Pod's first container that have a value, as the kubelet hands them
    over: with ``$(NAME)`` replaced by an earlier one and ``$$`` by ``$``."""
    found: dict[str, str] = {}
    for item in pod["spec"]["containers"][0].get("env") or ():
        found[item["name"]] = _expanded(item.get("value") or "", found)
    return found


def _expanded(text: str, known: dict[str, str]) -> str:
    return _REFERENCE.sub(
        lambda found: "$" if found[0] == "$$" else known.get(found[1], found[0]), text
    )
