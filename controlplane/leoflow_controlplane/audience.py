"""Who is told what happens in a control plane. `leoflow run` has nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from leoflow_controlplane.book.progress import Progress
from leoflow_controlplane.logcontext import about
from leoflow_controlplane.observer import SILENT, Observer
from leoflow_controlplane.timeline import timeline_ms

logger = logging.getLogger("leoflow.scheduler")


def _ignore(_progress: Progress) -> None:
    """Let it pass."""


class Audience(NamedTuple):
    """``observer`` counts. ``followed`` gets what a step led to, once that is durable; it is called
    in the event loop and must be quick. ``traces``: somebody collects traces, so each try is told
    of its own."""

    observer: Observer = SILENT
    followed: Callable[[Progress], None] = _ignore
    traces: bool = False

    def tell(self, progress: Progress) -> None:
        """Tell what a step has led to, which is durable."""
        if progress.run_ends and logger.isEnabledFor(logging.INFO):
            for run, run_state in progress.run_ends:
                with about(run):
                    logger.info("the run has ended: %s", run_state)
        if self.observer is not SILENT:
            self._count(progress)
        self.followed(progress)

    def _count(self, progress: Progress) -> None:
        observer = self.observer
        for lag in progress.lags:
            observer.scheduling_lag(lag)
        for state in progress.task_ends:
            observer.task_ended(state)
        for _, run_state in progress.run_ends:
            observer.run_ended(run_state)
        for instants in progress.closed:
            known = {phase: at for phase, at in instants.items() if at is not None}
            observer.cold_start(timeline_ms(known))
        for loss in progress.losses:
            observer.machinery_retry(loss)
        observer.tasks_queued(progress.queued)


NOBODY = Audience()
