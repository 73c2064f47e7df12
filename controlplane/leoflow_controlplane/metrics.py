"""The Prometheus metrics of ``leoflow server``. `leoflow run` must not import this: it takes longer
than a short run's control plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_asgi_app
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp

from leoflow_controlplane.model import FINISHED, FINISHED_RUN, RunState, TaskState
from leoflow_controlplane.observer import InlineOutcome, Observer, WebhookOutcome
from leoflow_controlplane.verdict import Loss

# Of a try's time line, without what the task itself takes. Spelled as in `timeline`.
COLD_START_PHASES = ("queue", "create", "place", "start", "agent", "import", "report")

_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0)
_MANY = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics(Observer):
    """Counts what it hears, in a registry of its own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._gauge("leoflow_info", "The version that runs.", ["version"]).labels(version).set(1)
        self._make_gauges()
        self._make_histograms()
        self._make_counters()

    @property
    def app(self) -> ASGIApp:
        """What answers GET /metrics."""
        app: ASGIApp = make_asgi_app(registry=self.registry)
        return app

    def _make_gauges(self) -> None:
        self._leading = self._gauge("leoflow_leading", "Whether this process schedules.")
        self._queued = self._gauge("leoflow_tasks_queued", "Tasks that wait for their turn.")
        self._containers = self._gauge(
            "leoflow_containers_running", "Containers or processes of tries that are there."
        )
        self._pods = self._gauge("leoflow_pods_running", "Pods of tries that are there.")
        self._inline = self._gauge("leoflow_inline_calls_running", "Inline calls under way.")

    def _make_histograms(self) -> None:
        cold_start = self._histogram(
            "leoflow_task_cold_start_seconds",
            "Where a try's time went outside of the task's own code.",
            _SLOW,
            ["phase"],
        )
        self._cold_start = {phase: cold_start.labels(phase) for phase in COLD_START_PHASES}
        self._lag = self._histogram(
            "leoflow_scheduling_lag_seconds", "From a task being due to its dispatch.", _SLOW
        )
        self._decision = self._histogram(
            "leoflow_decision_seconds",
            "From a report being received to its successors being handed over.",
            _QUICK,
        )
        self._commit = self._histogram(
            "leoflow_commit_seconds", "What one commit to the database took.", _QUICK
        )
        self._commit_steps = self._histogram(
            "leoflow_commit_steps", "How many steps shared a commit.", _MANY
        )

    def _make_counters(self) -> None:
        self._reports = self._counter("leoflow_reports_total", "Reports that were acknowledged.")
        self._refused = self._counter(
            "leoflow_report_errors_total", "Reports that were answered with an error.", ["status"]
        )
        tasks = self._counter("leoflow_task_ends_total", "Task instances that ended.", ["state"])
        self._task_ends = {state: tasks.labels(state) for state in FINISHED if state}
        runs = self._counter("leoflow_run_ends_total", "Runs that ended.", ["state"])
        self._run_ends = {state: runs.labels(state) for state in FINISHED_RUN}
        calls = self._counter("leoflow_inline_calls_total", "Inline calls that ended.", ["outcome"])
        self._calls = {outcome: calls.labels(outcome) for outcome in get_args(InlineOutcome)}
        launches = self._counter(
            "leoflow_launch_failures_total", "Tries that could not be started.", ["transient"]
        )
        self._launches = {value: launches.labels(str(value).lower()) for value in (True, False)}
        losses = self._counter(
            "leoflow_machinery_retries_total",
            "Tries that were lost by no fault of their task's, and made up for.",
            ["reason"],
        )
        self._losses = {loss: losses.labels(loss) for loss in get_args(Loss)}
        self._database_errors = self._counter(
            "leoflow_database_errors_total", "Times that the database could not be used."
        )
        hooks = self._counter(
            "leoflow_webhooks_total", "Attempts to deliver a webhook that ended.", ["outcome"]
        )
        self._webhooks = {outcome: hooks.labels(outcome) for outcome in get_args(WebhookOutcome)}

    def leads(self, leading: bool) -> None:
        """Note whether this process schedules; who does not has nothing waiting or running."""
        self._leading.set(leading)
        if not leading:
            for gauge in (self._queued, self._containers, self._pods):
                gauge.set(0)

    def tasks_queued(self, count: int) -> None:
        """Note how many tasks wait."""
        self._queued.set(count)

    def containers_running(self, count: int) -> None:
        """Note how many containers there are."""
        self._containers.set(count)

    def pods_running(self, count: int) -> None:
        """Note how many Pods there are."""
        self._pods.set(count)

    def scheduling_lag(self, seconds: float) -> None:
        """Count a dispatch."""
        self._lag.observe(seconds)

    def decision(self, seconds: float) -> None:
        """Count a decision."""
        self._decision.observe(seconds)

    def cold_start(self, phases_ms: Mapping[str, float]) -> None:
        """Count what is known of a try's time line."""
        for phase, histogram in self._cold_start.items():
            if phase in phases_ms:
                histogram.observe(phases_ms[phase] / 1000)

    def report_taken(self) -> None:
        """Count a report."""
        self._reports.inc()

    def report_refused(self, status: int) -> None:
        """Count a refusal."""
        self._refused.labels(status).inc()

    def task_ended(self, state: TaskState) -> None:
        """Count the end of a task instance."""
        self._task_ends[state].inc()

    def run_ended(self, state: RunState) -> None:
        """Count the end of a run."""
        self._run_ends[state].inc()

    def launch_failed(self, *, transient: bool) -> None:
        """Count a failed launch."""
        self._launches[transient].inc()

    def machinery_retry(self, loss: Loss) -> None:
        """Count a try that was lost and made up for."""
        self._losses[loss].inc()

    def inline_began(self) -> None:
        """Count a call that runs."""
        self._inline.inc()

    def inline_ended(self, outcome: InlineOutcome) -> None:
        """Count a call that ended."""
        self._inline.dec()
        self._calls[outcome].inc()

    def committed(self, seconds: float, steps: int) -> None:
        """Count a commit."""
        self._commit.observe(seconds)
        self._commit_steps.observe(steps)

    def database_failed(self) -> None:
        """Count a failure of the database."""
        self._database_errors.inc()

    def webhook(self, outcome: WebhookOutcome) -> None:
        """Count an attempt."""
        self._webhooks[outcome].inc()

    def _gauge(self, name: str, text: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(name, text, labels or [], registry=self.registry)

    def _counter(self, name: str, text: str, labels: list[str] | None = None) -> Counter:
        return Counter(name, text, labels or [], registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], labels: list[str] | None = None
    ) -> Histogram:
        return Histogram(name, text, labels or [], buckets=buckets, registry=self.registry)
