"""What the process of the inline calls does: it makes those that come through its pipe, and tells
what comes of them. Writes nothing but to that, so that no secret of a call gets into a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import socket
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import Any, NoReturn

from leoflow_controlplane.inline.conversation import Caller, Ended
from leoflow_controlplane.inline.frame import Frames, encode
from leoflow_controlplane.inline.message import PULSE_SECONDS, Order, Terms
from leoflow_controlplane.outbound.client import make_transport

# What ends within so little time is told at once: each telling is work for the other side.
GATHER_SECONDS = 0.005
_READ_BYTES = 2**18
# The other side has no limit: what it orders is what it has taken in itself.
_NO_LIMIT = 2**32
_OTHER_DESCRIPTORS = 256
# Looking up a name blocks a thread for as long as the name server likes.
LOOKUPS = 32


class Outbox:
    """Gathers what is to be told, and tells it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._messages: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None
        self._told_at = 0.0

    def put(self, message: list[Any]) -> None:
        """Tell ``message`` soon, behind all that were put before."""
        self._messages.append(message)
        if self._timer is None:
            due = self._told_at + GATHER_SECONDS
            self._timer = asyncio.get_running_loop().call_at(due, self.tell)

    def tell(self) -> None:
        """Tell now what there is, and at least that this process is alive."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        messages, self._messages = self._messages, []
        self._writer.write(encode(messages))
        self._told_at = asyncio.get_running_loop().time()

    async def room(self) -> None:
        """Wait until the other side has taken most of what it was told."""
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()


class Desk:
    """The calls that are under way here, by their ids."""

    def __init__(self, caller: Caller, outbox: Outbox) -> None:
        self._caller = caller
        self._outbox = outbox
        self._calls: dict[int, asyncio.Task[None]] = {}

    def obey(self, message: list[Any]) -> None:
        """Begin or end a call."""
        kind, number, *rest = message
        if kind == "call":
            call = asyncio.get_running_loop().create_task(self._call(number, *rest))
            self._calls[number] = call
            call.add_done_callback(lambda done: self._tell_end(number, done))
        elif number in self._calls:
            self._calls[number].cancel()

    async def _call(self, number: int, order: Order) -> None:
        async def say(text: str) -> None:
            self._outbox.put(["line", number, text])
            await self._outbox.room()

        try:
            ended = await self._caller.call(order, say)
        except Exception as error:
            ended = Ended("failed", _mistake(error))
        self._outbox.put(["over", number, *ended])

    def _tell_end(self, number: int, call: asyncio.Task[None]) -> None:
        del self._calls[number]
        if call.cancelled():
            self._outbox.put(["over", number, *Ended("cancelled")])


def _mistake(error: Exception) -> str:
    """Say that leoflow is at fault, and where. The error's own text may have a secret in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f" at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return (
        f"leoflow could not carry out this call: {type(error).__name__}{place}. That is a mistake "
        "of leoflow's: please report it"
    )


async def serve(pipe: socket.socket) -> None:
    """Make the calls that come through ``pipe`` until its other end is closed."""
    reader, writer = await asyncio.open_connection(sock=pipe)
    outbox, frames = Outbox(writer), Frames(_NO_LIMIT)
    desk: Desk | None = None
    pulse = _spawn(_pulse(outbox))
    # A connection that broke has no more to say either.
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_READ_BYTES):
            for message in frames.feed(data):
                if desk is None:
                    desk = Desk(_make_caller(message), outbox)
                    # Before the first byte of a call: who hears it takes calls as begun.
                    outbox.put(["ready"])
                    outbox.tell()
                else:
                    desk.obey(message)
    pulse.cancel()


def _make_caller(terms: Terms) -> Caller:
    os.environ.update(terms["proxies"])
    _allow_connections(terms["connections"])
    transport = make_transport(
        terms["allowed_hosts"], terms["connections"], terms["connections_per_host"]
    )
    return Caller(terms, transport)


def _allow_connections(count: int) -> None:
    """Raise the limit of open files, where a thousand connections would not fit in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _pulse(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(PULSE_SECONDS)
        outbox.tell()


def _spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)


async def live(pipe: socket.socket) -> NoReturn:
    """Serve, and end without a word: whoever is interested sees that the pipe is closed."""
    # What asyncio would log of an error may have a secret in it.
    logging.disable()
    gc.collect()
    gc.freeze()
    lookups = ThreadPoolExecutor(LOOKUPS, "lookup")
    asyncio.get_running_loop().set_default_executor(lookups)
    code = 0
    try:
        await serve(pipe)
    except Exception as error:
        print(_mistake(error), file=sys.stderr, flush=True)
        code = 1
    # Nobody waits for a name server that a thread still asks.
    os._exit(code)
