"""One process that sends inline calls, as the control plane has it: its start, its pipe, its end.
Knows no call.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, Self

from leoflow_controlplane.inline.frame import FrameInvalid, Frames, encode

MODULE = "leoflow_controlplane.inline.child"
# How long it may take to end once its pipe is closed.
END_SECONDS = 2.0
_READ_BYTES = 2**16
# What a process needs in order to find its libraries, certificates and names. No secret is here:
# a variable can be read by whoever may look at the process.
_VARIABLES = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LOCALDOMAIN",
    "RES_OPTIONS",
)


class ProcessGone(Exception):
    """The process has ended, or is of no use any more; the text says how."""


class Process:
    """A process that is there until `end`. ``limit`` is the most bytes it may say at once."""

    def __init__(self, running: asyncio.subprocess.Process, pipe: Pipe, limit: int) -> None:
        self._running = running
        self._reader, self._writer = pipe
        self._frames = Frames(limit)
        self._waiting: list[Any] = []

    @classmethod
    async def start(cls, limit: int, module: str = MODULE) -> Self:
        """Start ``module``; OSError if that is impossible."""
        ours, theirs = socket.socketpair()
        with theirs:
            pipe = await asyncio.open_connection(sock=ours)
            try:
                running = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-P", "-m", module, str(theirs.fileno())),
                    env=_environment(os.environ),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except BaseException:
                # Whatever was started ends with it.
                pipe[1].close()
                raise
        return cls(running, pipe, limit)

    @property
    def pid(self) -> int:
        """Its id."""
        return self._running.pid

    def send(self, message: Any) -> None:
        """Tell it something, together with all else that is said in this turn of the loop.

        What it does not take yet is kept: who calls says no more than it has taken in itself.
        """
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write)
        self._waiting.append(message)

    async def receive(self) -> list[Any]:
        """Wait for what it says next, nothing being a sign of life; ProcessGone if it has ended.

        It may be cancelled and called again.
        """
        try:
            data = await self._reader.read(_READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            raise ProcessGone(await self._describe_end())
        try:
            return self._frames.feed(data)
        except FrameInvalid as error:
            raise ProcessGone(str(error)) from None

    async def end(self) -> None:
        """Close the pipe, which ends it; one that does not is killed."""
        self._waiting.clear()
        self._writer.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._running.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._running.kill()
            await self._running.wait()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._writer.write(encode(waiting))

    async def _describe_end(self) -> str:
        try:
            async with asyncio.timeout(END_SECONDS):
                code = await self._running.wait()
        except TimeoutError:
            return "it closed its end of the pipe"
        if code >= 0:
            return f"it ended with exit code {code}"
        return f"it was ended by {signal.Signals(-code).name}"


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    known = {name: ours[name] for name in _VARIABLES if name in ours}
    # Wherever this process has found leoflow and its libraries, that one will.
    return {**known, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
