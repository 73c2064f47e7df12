"""Each metric moves when what it counts happens, and is on its page."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from leoflow_controlplane.metrics import COLD_START_PHASES, Metrics
from leoflow_controlplane.model import PHASES
from leoflow_controlplane.observer import Observer
from leoflow_controlplane.timeline import timeline_ms

PAGE = Path(__file__).parents[2] / "docs" / "monitoring.md"
COLD = {"create": 30.0, "agent": 6.0, "run": 9.0, "total": 50.0}

Moves = Callable[[Metrics], None]
CASES: list[tuple[Moves, str, dict[str, str], float]] = [
    (lambda m: m.leads(True), "leoflow_leading", {}, 1),
    (lambda m: m.tasks_queued(3), "leoflow_tasks_queued", {}, 3),
    (lambda m: m.containers_running(2), "leoflow_containers_running", {}, 2),
    (lambda m: m.pods_running(4), "leoflow_pods_running", {}, 4),
    (lambda m: m.inline_began(), "leoflow_inline_calls_running", {}, 1),
    (lambda m: m.inline_ended("failed"), "leoflow_inline_calls_running", {}, -1),
    (
        lambda m: m.inline_ended("failed"),
        "leoflow_inline_calls_total",
        {"outcome": "failed"},
        1,
    ),
    (
        lambda m: m.cold_start(COLD),
        "leoflow_task_cold_start_seconds_sum",
        {"phase": "create"},
        0.03,
    ),
    (lambda m: m.cold_start(COLD), "leoflow_task_cold_start_seconds_sum", {"phase": "import"}, 0),
    (lambda m: m.scheduling_lag(0.5), "leoflow_scheduling_lag_seconds_sum", {}, 0.5),
    (lambda m: m.decision(0.002), "leoflow_decision_seconds_sum", {}, 0.002),
    (lambda m: m.report_taken(), "leoflow_reports_total", {}, 1),
    (lambda m: m.report_refused(409), "leoflow_report_errors_total", {"status": "409"}, 1),
    (lambda m: m.task_ended("skipped"), "leoflow_task_ends_total", {"state": "skipped"}, 1),
    (lambda m: m.run_ended("failed"), "leoflow_run_ends_total", {"state": "failed"}, 1),
    (
        lambda m: m.launch_failed(transient=True),
        "leoflow_launch_failures_total",
        {"transient": "true"},
        1,
    ),
    (
        lambda m: m.machinery_retry("evicted"),
        "leoflow_machinery_retries_total",
        {"reason": "evicted"},
        1,
    ),
    (lambda m: m.committed(0.01, 7), "leoflow_commit_seconds_sum", {}, 0.01),
    (lambda m: m.committed(0.01, 7), "leoflow_commit_steps_sum", {}, 7),
    (lambda m: m.database_failed(), "leoflow_database_errors_total", {}, 1),
    (lambda m: m.webhook("given_up"), "leoflow_webhooks_total", {"outcome": "given_up"}, 1),
]


@pytest.mark.parametrize(("move", "name", "labels", "by"), CASES)
def test_a_metric_moves(move: Moves, name: str, labels: dict[str, str], by: float) -> None:
    metrics = Metrics("1.2.3")
    before = metrics.registry.get_sample_value(name, labels) or 0.0
    move(metrics)
    assert metrics.registry.get_sample_value(name, labels) == pytest.approx(before + by)


def test_who_does_not_lead_has_nothing_waiting_or_running() -> None:
    metrics = Metrics("1")
    metrics.tasks_queued(3)
    metrics.containers_running(2)
    metrics.leads(False)
    for name in ("leoflow_tasks_queued", "leoflow_containers_running"):
        assert metrics.registry.get_sample_value(name) == 0


def own_metrics() -> set[str]:
    families = {family.name: family for family in Metrics("1").registry.collect()}
    return {
        name + ("_total" if family.type == "counter" else "")
        for name, family in families.items()
        if name.startswith("leoflow_")
    }


def test_every_metric_has_a_test_that_it_moves() -> None:
    moved = {re.sub("_sum$", "", name) for _, name, _, _ in CASES}
    assert moved == own_metrics() - {"leoflow_info"}


def test_everything_that_is_told_is_counted() -> None:
    told = {name for name in vars(Observer) if not name.startswith("_")}
    assert {name for name in told if getattr(Metrics, name) is getattr(Observer, name)} == set()
    for name in told:
        assert inspect.signature(getattr(Metrics, name)) == inspect.signature(
            getattr(Observer, name)
        )


def test_every_metric_is_on_its_page_and_no_other() -> None:
    page = set(re.findall(r"^\| `(leoflow_\w+)", PAGE.read_text(), re.MULTILINE))
    assert page == own_metrics()


def test_phases_are_those_of_the_time_line() -> None:
    instants = {name: float(at) for at, name in enumerate(PHASES)}
    assert [*COLD_START_PHASES] == [
        phase for phase in timeline_ms(instants) if phase not in ("run", "total")
    ]


async def test_they_are_served_as_prometheus_reads_them() -> None:
    metrics = Metrics("1.2.3")
    metrics.report_taken()
    transport = httpx.ASGITransport(metrics.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert 'leoflow_info{version="1.2.3"} 1.0' in answer.text
    assert "leoflow_reports_total 1.0" in answer.text
    assert 'leoflow_task_ends_total{state="success"} 0.0' in answer.text
    assert "process_resident_memory_bytes" in answer.text


def test_whoever_only_observes_does_not_load_prometheus() -> None:
    code = (
        "import sys, leoflow_controlplane.observer, leoflow_controlplane.webhooksender;"
        "assert not [n for n in sys.modules if 'prometheus' in n]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
