"""Deliver webhooks: when rows are written, when an attempt is due, after a restart. At least once.

Sleeps until the next one is due. Only the process that leads does this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import NamedTuple

import httpx

from leoflow_controlplane.error import ControlPlaneError, DatabaseUnusable, NotLeading
from leoflow_controlplane.logcontext import about
from leoflow_controlplane.observer import SILENT, Observer
from leoflow_controlplane.secretsource import SecretSource
from leoflow_controlplane.store.webhook import Message, finish_webhook, load_due_webhooks
from leoflow_controlplane.storedsecrets import Store
from leoflow_controlplane.webhook import (
    GONE,
    Target,
    find_target,
    make_headers,
    pause_before_next,
)

AT_ONCE = 100
_TIMEOUTS = dict.fromkeys(("connect", "pool", "read", "write"), 10.0)
TOTAL_SECONDS = 30.0
# What a wall clock that jumped may delay, and how long to wait for a database that is away.
LONGEST_SLEEP_SECONDS = 60.0
DATABASE_PAUSE_SECONDS = 1.0

logger = logging.getLogger("leoflow.webhooks")


class _Answer(NamedTuple):
    """What came of an attempt. ``trouble`` None: it was delivered."""

    trouble: str | None
    final: bool = False
    retry_after: float | None = None


class WebhookSender:
    """Sends what is due, ``AT_ONCE`` at a time. ``clock`` gives seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        secrets: SecretSource,
        transport: httpx.AsyncBaseTransport,
        clock: Callable[[], float],
        secret: bytes | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._transport = transport
        self._clock = clock
        self._secret = secret
        self._observer = observer
        self._woken = asyncio.Event()
        self._sending: dict[int, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Look at the rows: some were written."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then is sent again by the next who runs."""
        try:
            while True:
                self._woken.clear()
                try:
                    pause = await self._start_due()
                except DatabaseUnusable:
                    pause = DATABASE_PAUSE_SECONDS
                # asyncio.wait_for() of Python 3.11 may forget to be cancelled.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
        finally:
            tasks = list(self._sending.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_due(self) -> float | None:
        """Start what is due and return the seconds until the next is; None if none will be."""
        free = AT_ONCE - len(self._sending)
        if not free:
            return None
        now = self._clock()
        due = await self._store.read(load_due_webhooks, now, free, tuple(self._sending))
        for message in due.messages:
            task = asyncio.create_task(self._deliver(message))
            self._sending[message.id] = task
        if due.next_at is None or len(due.messages) == free:
            return None
        return min(max(due.next_at - now, 0.0), LONGEST_SLEEP_SECONDS)

    async def _deliver(self, message: Message) -> None:
        try:
            answer = await self._attempt(message)
            attempts = message.attempts + 1
            pause = None
            if answer.trouble is not None and not answer.final:
                pause = pause_before_next(attempts, answer.retry_after, random.random())
            with about(message.run):
                self._tell(message, answer, pause)
            due_at = None if pause is None else self._clock() + pause
            await self._finish(message.id, attempts, due_at)
        finally:
            del self._sending[message.id]
            self.wake()

    async def _attempt(self, message: Message) -> _Answer:
        try:
            target = find_target(message, self._secrets)
            request = self._request(message, target)
        except ControlPlaneError as error:
            return _Answer(str(error))
        except Exception as error:
            # One that is not counted as an attempt would be due again at once, for ever.
            return _Answer(f"where it goes cannot be read: {type(error).__name__}")
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                response = await self._transport.handle_async_request(request)
                # What is in the body is nobody's business; to close is to hang up.
                await response.aclose()
        except TimeoutError:
            return _Answer(f"{target.place} took longer than {TOTAL_SECONDS:g} s")
        except ControlPlaneError as error:
            return _Answer(str(error))
        except Exception as error:
            # What httpx says itself may have a header's value in it.
            return _Answer(f"no answer from {target.place}: {type(error).__name__}")
        return _judge(response, target.place)

    def _request(self, message: Message, target: Target) -> httpx.Request:
        return httpx.Request(
            "POST",
            target.url,
            headers=make_headers(message, target, self._clock(), self._secret),
            content=message.body.encode(),
            extensions={"timeout": _TIMEOUTS},
        )

    def _tell(self, message: Message, answer: _Answer, pause: float | None) -> None:
        run = f"{message.run.dag_id} {message.run.run_id}"
        if answer.trouble is None:
            self._observer.webhook("delivered")
            logger.debug("the webhook of %s was delivered", run)
        elif pause is None:
            self._observer.webhook("given_up")
            logger.error("the webhook of %s is given up: %s", run, answer.trouble)
        else:
            self._observer.webhook("failed")
            logger.warning(
                "the webhook of %s is sent again in %.0f s: %s", run, pause, answer.trouble
            )

    async def _finish(self, id: int, attempts: int, due_at: float | None) -> None:
        while True:
            try:
                await self._store.run(finish_webhook, id, attempts, due_at)
                return
            except NotLeading:
                # Who leads now sends it again: at least once is what is promised.
                return
            except DatabaseUnusable:
                # To forget what was sent would be to send it again at once, and again.
                await asyncio.sleep(DATABASE_PAUSE_SECONDS)


def _judge(response: httpx.Response, place: str) -> _Answer:
    status = response.status_code
    if 200 <= status < 300:
        return _Answer(None)
    if status == GONE:
        return _Answer(f"{place} answered that it is gone for good ({GONE})", final=True)
    if 300 <= status < 400:
        return _Answer(f"{place} answered with a redirect ({status}), which is not followed")
    asked = response.headers.get("retry-after", "")
    seconds = float(asked) if asked.isascii() and asked.isdigit() else None
    return _Answer(f"{place} answered with {status}", retry_after=seconds)
