"""A run that is not over, and its tries whose containers may still be there. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.liverun.facts import RunFacts
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.liverun import LiveRun
from leoflow_controlplane.model import FINISHED_RUN, RunKey, RunType, TryKey
from leoflow_controlplane.verdict import Verdict
from leoflow_controlplane.workload import RunContext


@dataclass(frozen=True)
class RunPlan:
    """A run that is to be made. Dates are ISO 8601 with an offset; with ``task_id`` only that
    task runs, and ``inputs`` are what its upstream tasks would have returned."""

    run_id: str
    run_type: RunType
    logical_date: str
    data_interval_start: str
    data_interval_end: str
    conf: dict[str, Any] = field(default_factory=dict)
    note: str | None = None
    triggered_by: str | None = None
    traceparent: str | None = None
    backfill_id: int | None = None
    task_id: str | None = None
    inputs: dict[str, Any] | None = None


class Previous(Protocol):
    """The DAG's previous run, as ``book.past`` has it."""

    pk: int

    def remember(self, run: HeldRun) -> None:
        """Note how the run stands, which is about to leave the memory."""

    def look_further_back(self, pk: int | None) -> None:
        """Look at the run before, now that this one is deleted; None: there is none."""


@dataclass(slots=True, eq=False)
class HeldRun:
    """A run in memory. ``live`` decides, the rest is what that cannot know."""

    facts: RunFacts
    version: DagVersion
    backfill_id: int | None
    logical_at: float
    logical_date: str
    data_interval_start: str
    data_interval_end: str
    conf: dict[str, Any]
    params: dict[str, Any]
    traceparent: str | None
    # By the values of their keys.
    tries: dict[tuple[str, str, str, int, int], OpenTry] = field(default_factory=dict)
    # How many tries of a task that may not run more often at once are under way.
    active: dict[str, int] = field(default_factory=dict)
    # The instant that the clock was asked to come back at.
    due_at: float | None = None
    previous: Previous | None = None
    # The facts' own, which never change: nothing is asked for more often.
    pk: int = field(init=False)
    key: RunKey = field(init=False)
    context: RunContext = field(init=False)
    # What decides about it; made after the rest, which it looks into.
    live: LiveRun = field(init=False)

    def __post_init__(self) -> None:
        self.pk, self.key = self.facts.pk, self.facts.key
        self.context = RunContext(
            logical_date=self.logical_date,
            data_interval_start=self.data_interval_start,
            data_interval_end=self.data_interval_end,
            params=self.params,
            conf=self.conf,
            traceparent=self.traceparent,
        )

    @property
    def is_over(self) -> bool:
        """Whether it has its final state and all of its containers are gone."""
        return self.facts.state in FINISHED_RUN and not self.tries

    def try_key(self, instance: Instance, try_number: int) -> TryKey:
        """Name a try of one of the run's task instances."""
        return TryKey(*self.key, instance.task_id, instance.map_index, try_number)

    def find_try(self, instance: Instance) -> OpenTry | None:
        """Give the latest try of one of the run's task instances, if it is open."""
        place = (*self.key, instance.task_id, instance.map_index, instance.try_number)
        return self.tries.get(place)


@dataclass(slots=True, eq=False)
class OpenTry:
    """A try without a verdict, or whose container is still there."""

    key: TryKey
    run: HeldRun
    instance: Instance
    inline: bool
    artifacts: str | None = None
    nonce: str | None = None
    acked_seq: int = 0
    verdict: Verdict | None = None
    reported_verdict: bool = False
    terminate: str | None = None
    defect: str | None = None
    deadline_at: float | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    # Whether its row is there.
    is_written: bool = False
    instants: dict[str, float | None] = field(default_factory=dict)

    @property
    def is_current(self) -> bool:
        """Whether the try is the one that counts: no verdict was given on it yet."""
        return self.verdict is None

    @property
    def is_stopping(self) -> bool:
        """Whether its task may still be at work although it has its verdict."""
        return self.terminate is not None and not self.reported_verdict and not self.is_gone

    @property
    def agent_seen(self) -> bool:
        """Whether its agent has ever reported."""
        return self.nonce is not None

    @property
    def is_gone(self) -> bool:
        """Whether its container is known to be gone."""
        return self.instants.get("ended") is not None
