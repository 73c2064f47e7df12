"""The inline calls that are under way, whatever becomes of the process that sends them. It starts
with the first call, ends when there was none for a while, and is started anew when it dies. Writes
nothing down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from leoflow_agent.spec import TaskSpec

from leoflow_controlplane.inline.message import PULSE_SECONDS, Ending, Order, Terms, frame_limit
from leoflow_controlplane.inline.process import Process, ProcessGone
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.repetition import may_repeat

# A call in which so many processes died is not made again: it may be what they died of.
MAX_DEATHS = 3
# Lines of logs that wait to be taken before the process has to wait.
MOST_LINES = 10_000
WHO = "the process that sends inline calls"

Start = Callable[[int], Awaitable[Process]]


class Patience(NamedTuple):
    """How long a process is kept that has nothing to do, when one that says nothing is stuck, and
    the pauses before one is started that takes the place of a dead one."""

    idle_seconds: float = 60.0
    silence_seconds: float = 12 * PULSE_SECONDS
    pauses_seconds: tuple[float, ...] = (0.0, 0.5, 2.0)


PATIENCE = Patience()


logger = logging.getLogger("leoflow.inline")


class Outcome(NamedTuple):
    """How a call ended; ``value`` is the JSON text of its result. Not ``began``: no process came
    as far as to make it."""

    state: Ending
    reason: str | None = None
    value: str | None = None
    began: bool = True


class News(NamedTuple):
    """What came of a call since it was last asked for; ``outcome`` is there when it is over."""

    key: TryKey
    lines: list[str]
    outcome: Outcome | None


@dataclass(eq=False)
class _Call:
    number: int
    key: TryKey
    task: TaskSpec
    order: Order
    deaths: int = 0
    is_cancelled: bool = False
    outcome: Outcome | None = None
    lines: list[str] = field(default_factory=list)


class Calls:
    """Calls of tries, by their keys. ``changed`` is called when `take` has something to give."""

    def __init__(
        self,
        terms: Terms,
        changed: Callable[[], None],
        start: Start = Process.start,
        patience: Patience = PATIENCE,
    ) -> None:
        self._terms = terms
        self._changed = changed
        self._start = start
        self._patience = patience
        self._last = 0
        # Those that are not over, and those of which there is news, in the order of the news.
        self._open: dict[TryKey, _Call] = {}
        self._numbers: dict[int, _Call] = {}
        self._news: dict[int, _Call] = {}
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        self._fault: BaseException | None = None
        # Whether the process may have begun what it was told to do.
        self._began = False
        self._idle_since = 0.0
        self._lines = 0
        self._taken = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The id of the process, if there is one."""
        return None if self._process is None else self._process.pid

    def send(self, key: TryKey, task: TaskSpec, order: Order) -> None:
        """Make a call."""
        self._last += 1
        call = _Call(self._last, key, task, order)
        self._open[key] = self._numbers[call.number] = call
        if self._process is not None:
            self._process.send(["call", call.number, order])
        elif self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())
            self._keeper.add_done_callback(self._look_at_end)

    def cancel(self, key: TryKey) -> bool:
        """End a call, which then is news; False if there is none that is under way."""
        call = self._open.get(key)
        if call is None:
            return False
        call.is_cancelled = True
        if self._process is None:
            self._end(call, Outcome("cancelled"))
            self._changed()
        else:
            self._process.send(["cancel", call.number])
        return True

    def take(self, most: int) -> list[News]:
        """Give what is new of at most so many calls. One that is over is forgotten.

        Raises what keeps calls from being made for good, which would be a mistake of leoflow's.
        """
        if self._fault is not None:
            raise self._fault
        found = []
        for number in list(self._news)[:most]:
            call = self._news.pop(number)
            found.append(News(call.key, call.lines, call.outcome))
            self._lines -= len(call.lines)
            call.lines = []
        self._taken.set()
        return found

    @property
    def has_news(self) -> bool:
        """Whether there is something to take."""
        return bool(self._news) or self._fault is not None

    async def close(self) -> None:
        """End the process, whatever it does."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self) -> None:
        """Have a process for as long as there are calls, and a while longer."""
        while self._open:
            self._began = False
            try:
                await self._use(await self._start(frame_limit(self._terms)))
            except (ProcessGone, OSError) as error:
                self._lose(str(error))
                pauses = self._patience.pauses_seconds
                await asyncio.sleep(pauses[min(self._failures, len(pauses)) - 1])
        self._keeper = None

    async def _use(self, process: Process) -> None:
        """Let a process make calls; return when it was idle for long enough."""
        try:
            process.send(self._terms)
            for call in self._numbers.values():
                process.send(["call", call.number, call.order])
            self._process = process
            while (messages := await self._hear(process)) is not None:
                for message in messages:
                    self._heed(message)
                if self._news:
                    self._changed()
                while self._lines >= MOST_LINES:
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            # A call that comes from here on is for the next process.
            self._process = None
            await process.end()

    async def _hear(self, process: Process) -> list[Any] | None:
        """Wait for what the process says; None if it is needed no more."""
        was_idle = not self._open
        wait = self._patience.silence_seconds
        if was_idle:
            now = asyncio.get_running_loop().time()
            wait = max(0.0, self._idle_since + self._patience.idle_seconds - now)
        try:
            async with asyncio.timeout(wait):
                return await process.receive()
        except TimeoutError:
            if not self._open:
                return None
            if was_idle:
                return []
        raise ProcessGone(f"it said nothing for {wait:g} s")

    def _heed(self, message: Any) -> None:
        match message:
            case ["line", int(number), str(text)]:
                call = self._numbers.get(number)
                if call is not None:
                    self._note_line(call, text)
            case [
                "over",
                int(number),
                ("success" | "failed" | "cancelled") as state,
                str() | None as reason,
                str() | None as value,
            ]:
                self._failures = 0
                call = self._numbers.get(number)
                if call is not None:
                    self._end(call, Outcome(state, reason, value))
            case ["ready"]:
                self._began = True
            case _:
                raise ProcessGone("it said what makes no sense")

    def _note_line(self, call: _Call, text: str) -> None:
        call.lines.append(text)
        self._lines += 1
        self._news[call.number] = call

    def _end(self, call: _Call, outcome: Outcome) -> None:
        call.outcome = outcome
        del self._open[call.key], self._numbers[call.number]
        self._news[call.number] = call
        if not self._open:
            self._idle_since = asyncio.get_running_loop().time()

    def _look_at_end(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and keeper.exception() is not None:
            self._fault = keeper.exception()
            self._changed()

    def _lose(self, why: str) -> None:
        """Do with the calls of a process that is gone as with those of a control plane that is."""
        self._failures += 1
        logger.warning("%s is gone: %s; %d calls were open", WHO, why, len(self._open))
        for call in list(self._numbers.values()):
            call.deaths += 1
            repetition = may_repeat(call.task, began=self._began, who=WHO)
            if call.is_cancelled:
                self._end(call, Outcome("cancelled"))
            elif not repetition.allowed:
                self._end(call, Outcome("failed", repetition.reason))
            elif call.deaths == MAX_DEATHS:
                reason = (
                    f"{WHO} was lost {MAX_DEATHS} times during this call, at last because {why}"
                )
                self._end(call, Outcome("failed", reason, began=self._began))
            else:
                self._note_line(call, f"{WHO} was lost because {why}: the call is made again")
        self._changed()
