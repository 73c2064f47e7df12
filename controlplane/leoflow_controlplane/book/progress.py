"""What a step led to, for whoever acts upon it once it is durable. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from leoflow_controlplane.model import RunKey, RunState, TaskState, TryKey
from leoflow_controlplane.verdict import Loss
from leoflow_controlplane.workload import Dispatch


class Stop(NamedTuple):
    """A try whose container has to go. ``grace_seconds`` 0: at once."""

    key: TryKey
    grace_seconds: float


@dataclass(slots=True)
class Progress:
    """What is to be started and stopped, the first instant at which a timer has work, and the runs
    of which somebody may want to know. Nobody changes it once its step has ended."""

    dispatches: list[Dispatch] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    next_due: float | None = None
    changed: list[RunKey] = field(default_factory=list)
    # Runs that are over and had a folder that their tries shared.
    over: list[RunKey] = field(default_factory=list)
    # All runs that are over: with their final state, and no try of theirs is left.
    done: list[RunKey] = field(default_factory=list)
    # Whether there are messages for webhooks that were not there before.
    has_webhooks: bool = False
    # Whether there are inline calls that may begin: see `calling.move_calls`.
    calls_wait: bool = False
    # For whoever counts: final states, how long those handed out had been due, what was closed.
    task_ends: list[TaskState] = field(default_factory=list)
    run_ends: list[tuple[RunKey, RunState]] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    closed: list[Mapping[str, float | None]] = field(default_factory=list)
    queued: int = 0
    losses: list[Loss] = field(default_factory=list)
