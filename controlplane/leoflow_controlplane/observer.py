"""What the control plane tells of itself. Here nobody listens; `metrics.Metrics` does.

One method for each thing that happens. All are quick, may be called from any thread, and take no
ids of runs or tasks: what is counted must not grow with what is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from leoflow_controlplane.model import RunState, TaskState
from leoflow_controlplane.verdict import Loss

WebhookOutcome = Literal["delivered", "failed", "given_up"]
InlineOutcome = Literal["success", "failed", "cancelled"]


class Observer:
    """Hears everything and keeps nothing: what `leoflow run` has, which imports no more for it."""

    def leads(self, leading: bool) -> None:
        """This process schedules now, or no longer."""

    def tasks_queued(self, count: int) -> None:
        """So many tasks wait for their turn now."""

    def containers_running(self, count: int) -> None:
        """So many containers (or, by a subprocess executor, processes) of tries are there now."""

    def pods_running(self, count: int) -> None:
        """So many Pods of tries are there now."""

    def scheduling_lag(self, seconds: float) -> None:
        """A try was dispatched so long after its task became due."""

    def decision(self, seconds: float) -> None:
        """What follows from a report was handed over so long after it was received."""

    def cold_start(self, phases_ms: Mapping[str, float]) -> None:
        """A try has ended that had this time line, as `timeline.timeline_ms` gives it."""

    def report_taken(self) -> None:
        """A report of an agent was acknowledged."""

    def report_refused(self, status: int) -> None:
        """A report was answered with an error, an HTTP status of 400 and more."""

    def task_ended(self, state: TaskState) -> None:
        """A task instance has its final state."""

    def run_ended(self, state: RunState) -> None:
        """A run has its final state."""

    def launch_failed(self, *, transient: bool) -> None:
        """A try could not be started; ``transient``: the same launch may work a moment later."""

    def machinery_retry(self, loss: Loss) -> None:
        """A try was lost by no fault of its task's, and another one makes up for it."""

    def inline_began(self) -> None:
        """A call of an inline task begins; one of `inline_ended` follows."""

    def inline_ended(self, outcome: InlineOutcome) -> None:
        """A call of an inline task is over."""

    def committed(self, seconds: float, steps: int) -> None:
        """So many steps were made durable, from the first of them to the end of the commit."""

    def database_failed(self) -> None:
        """The database could not be used."""

    def webhook(self, outcome: WebhookOutcome) -> None:
        """An attempt to deliver a webhook ended; ``failed``: there will be another one."""


SILENT = Observer()
