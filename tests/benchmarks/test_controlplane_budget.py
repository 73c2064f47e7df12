"""The control plane's budget, held on what does not depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.controlplane import budget, edge
from benchmarks.controlplane.budget import Counted

REMEDY = "Find out what was added to the path of each report, and take it off again."


@pytest.fixture(scope="module")
def counted() -> Counted:
    return budget.count()


def test_a_finished_task_takes_no_more_calls_than_it_did(counted: Counted) -> None:
    complaint = budget.CALLS.complaint(round(counted.calls_per_task), REMEDY)
    assert complaint is None, complaint


def test_a_report_takes_no_more_calls_at_the_edge_than_it_did() -> None:
    complaint = budget.EDGE_CALLS.complaint(round(edge.count_edge()), REMEDY)
    assert complaint is None, complaint


def test_an_inline_call_takes_no_more_calls_than_it_did() -> None:
    complaint = budget.CALLS_INLINE.complaint(round(budget.count_inline()), REMEDY)
    assert complaint is None, complaint


def test_a_group_takes_no_more_statements_than_it_did(counted: Counted) -> None:
    complaint = budget.STATEMENTS.complaint(round(counted.statements_per_group), REMEDY)
    assert complaint is None, complaint


def test_a_task_of_a_wide_dag_takes_no_more_calls_than_one_of_a_narrow_dag(
    counted: Counted,
) -> None:
    narrow = budget.count(budget.CHAINS // 5)

    assert counted.calls_per_task < narrow.calls_per_task * 1.05


def test_a_server_answers_before_it_loads_what_takes_long() -> None:
    code = "import leoflow_controlplane.server.serving, sys; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert not budget.LATE_MODULES & set(loaded.stdout.decode().split())
