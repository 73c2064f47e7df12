"""Bring inline calls from the book to the process that sends them, and back what came of them. Many
go into one step, and never more steps than one at a time: what agents report goes first.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.inline.calls import Calls, News, Outcome
from leoflow_controlplane.inline.message import Order, Terms, variables_of
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.observer import Observer
from leoflow_controlplane.secretsource import SecretSource, find_missing, find_secrets
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.stepper import Stepper
from leoflow_controlplane.steps.calling import Told, move_calls
from leoflow_controlplane.verdict import Verdict
from leoflow_controlplane.workload import Dispatch

# Calls that begin and calls that end in one step. Whoever comes meanwhile waits for its commit.
MOST_AT_ONCE = 16


class InlineCalls:
    """The calls of one scheduler."""

    def __init__(
        self,
        settings: Settings,
        secrets: SecretSource,
        steps: Stepper,
        clock: Callable[[], float],
        observer: Observer,
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._steps = steps
        self._clock = clock
        self._observer = observer
        self._calls = Calls(make_terms(settings), self._note_change)
        # What came of calls that were not made; tries whose calls are not over.
        self._told: list[Told] = []
        self._keys: set[TryKey] = set()
        self._counted = 0
        self._wait = False
        self._changed = asyncio.Event()

    def note(self, progress: Progress) -> None:
        """Learn from a step that calls may begin."""
        if progress.calls_wait:
            self._wait = True
            self._changed.set()

    def make(self, dispatch: Dispatch) -> None:
        """Make the call of a try, which is known to have begun."""
        task, request = dispatch.task, dispatch.inputs["request"]
        assert request is not None
        self._keys.add(dispatch.key)
        if missing := find_missing(task, self._secrets):
            verdict = Verdict("failed", "\n".join(missing), retryable=False)
            self._told.append(Told(dispatch.key, self._clock(), (), verdict))
            self._changed.set()
            return
        secrets = find_secrets(task, self._secrets)
        known = {**dispatch.dag.environment, **dispatch.inputs["environment"], **secrets}
        environment = {name: known[name] for name in variables_of(request) if name in known}
        cap = self._settings.inline_http_max_seconds
        seconds = min(task.execution_timeout_seconds or cap, cap)
        self._observer.inline_began()
        self._counted += 1
        order = Order(
            task_id=task.task_id, request=request, environment=environment, seconds=seconds
        )
        self._calls.send(dispatch.key, task, order)

    def stop(self, key: TryKey) -> bool:
        """End the call of a try; False if there is none."""
        self._calls.cancel(key)
        return key in self._keys

    async def run(
        self, follow: Callable[[Progress], None], forget: Callable[[TryKey], None]
    ) -> None:
        """Carry on until cancelled. ``follow`` acts upon what a step led to; ``forget`` is told of
        each try that is over."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._wait or self._told or self._calls.has_news:
                told = self._take()
                self._wait = False
                progress = await self._steps.persist(move_calls, told, MOST_AT_ONCE, self._clock())
                for one in told:
                    if one.verdict is not None:
                        self._keys.discard(one.key)
                        forget(one.key)
                follow(progress)

    async def close(self) -> None:
        """End the calls that are under way."""
        await self._calls.close()
        for _ in range(self._counted):
            self._observer.inline_ended("cancelled")

    def _take(self) -> list[Told]:
        told, self._told = self._told[:MOST_AT_ONCE], self._told[MOST_AT_ONCE:]
        now = self._clock()
        return told + [self._tell(news, now) for news in self._calls.take(MOST_AT_ONCE - len(told))]

    def _tell(self, news: News, now: float) -> Told:
        outcome = news.outcome
        if outcome is None:
            return Told(news.key, now, news.lines)
        self._observer.inline_ended(outcome.state)
        self._counted -= 1
        return Told(news.key, now, news.lines, _judge(outcome), outcome.value)

    def _note_change(self) -> None:
        self._changed.set()


def make_terms(settings: Settings) -> Terms:
    """Say what holds for all calls of a control plane."""
    return Terms(
        allowed_hosts=list(settings.inline_allowed_hosts),
        connections=settings.max_inline_calls,
        connections_per_host=settings.inline_connections_per_host,
        xcom_limit_bytes=settings.xcom_limit_bytes,
        response_limit_bytes=settings.inline_response_limit_bytes,
        proxies={name: value for name, value in os.environ.items() if _names_proxy(name)},
    )


def _names_proxy(variable: str) -> bool:
    return variable.lower().endswith("_proxy")


def _judge(outcome: Outcome) -> Verdict:
    if outcome.state == "cancelled":
        return Verdict("failed", "stopped", retryable=False)
    if not outcome.began:
        return Verdict("failed", outcome.reason, machinery=True, loss="launch")
    return Verdict(outcome.state, outcome.reason)
