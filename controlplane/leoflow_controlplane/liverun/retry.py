"""When a failed try is followed by another one. Airflow's formula, jitter from a hash included."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush

from leoflow_agent.spec import TaskSpec

from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.model import RunKey

# Airflow's MAX_RETRY_DELAY: a day.
LONGEST_SECONDS = 24 * 60 * 60.0
# Between tries that the machinery failed: at first, and at most.
MACHINERY_FIRST_SECONDS = 1.0
MACHINERY_LONGEST_SECONDS = 60.0


def retry_delay_seconds(task: TaskSpec, key: RunKey, instance: Instance) -> float:
    """Give the time from the end of the try to the next one, the same whenever it is asked for.

    With exponential backoff it is between delay * 2^(n-1) and twice that for the n-th try since
    the task was last cleared, at most a day and at most ``max_retry_delay_seconds``.
    """
    if not task.retry_exponential_backoff:
        return task.retry_delay_seconds
    nth = max(1, instance.try_number - (instance.max_tries - task.retries))
    # Beyond a day the exact figure does not matter, and 2^n would become too large for a float.
    least = max(1, math.ceil(task.retry_delay_seconds * 2 ** min(nth - 1, 60)))
    spread = _draw(key, instance) % least
    longest = task.max_retry_delay_seconds
    return min(float(least + spread), LONGEST_SECONDS, math.inf if longest is None else longest)


def machinery_delay_seconds(key: RunKey, instance: Instance, nth: int) -> float:
    """Give the time until a try is made up for that ended by no fault of its task's.

    The ``nth`` time it is between 2^(n-1) and 2^n seconds, at most a minute: what many tries lost
    at the same instant does not come back at the same instant. The same whenever it is asked for.
    """
    least: float = MACHINERY_FIRST_SECONDS * 2 ** min(nth - 1, 16)
    spread = least * (_draw(key, instance) % 1000) / 1000
    return min(least + spread, MACHINERY_LONGEST_SECONDS)


def _draw(key: RunKey, instance: Instance) -> int:
    """Draw a large number for a try, always the same one."""
    place = f"{instance.task_id}#{instance.map_index}#{key.run_id}#{instance.try_number}"
    return int.from_bytes(hashlib.sha256(f"{key.dag_id}#{place}".encode()).digest())


class Retries:
    """The instances that wait to be tried again, the first one first.

    One that has gone another way meanwhile is passed over; nobody has to take it out.
    """

    def __init__(self, instances: Iterable[Instance]) -> None:
        # A heap. Empty: there is nothing to ask for.
        self.waiting = [_entry(item) for item in instances if item.state == "up_for_retry"]
        heapify(self.waiting)

    def add(self, instance: Instance) -> None:
        """Have an instance wait for its ``due_at``."""
        heappush(self.waiting, _entry(instance))

    def next_due(self) -> float | None:
        """Give the first instant at which one is due, or None."""
        while self.waiting and not _waits(self.waiting[0]):
            heappop(self.waiting)
        return self.waiting[0][0] if self.waiting else None

    def take_due(self, now: float) -> Iterator[Instance]:
        """Yield those whose time has come, in a lasting order."""
        while self.waiting and self.waiting[0][0] <= now:
            entry = heappop(self.waiting)
            if _waits(entry):
                yield entry[-1]


# The number of the try makes sure that instances themselves are never compared.
_Entry = tuple[float, str, int, int, Instance]


def _entry(instance: Instance) -> _Entry:
    assert instance.due_at is not None
    return (
        instance.due_at,
        instance.task_id,
        instance.map_index,
        instance.try_number,
        instance,
    )


def _waits(entry: _Entry) -> bool:
    due_at, instance = entry[0], entry[-1]
    return instance.state == "up_for_retry" and instance.due_at == due_at
