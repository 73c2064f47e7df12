"""How long an inline http_api task may be declared to run."""

from __future__ import annotations

import pytest
from leoflow_agent.action import Action, BashAction, HttpAction
from leoflow_agent.inline_cap import check_inline_duration
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec


def dag(action: Action, seconds: float | None) -> DagSpec:
    resources = Resources(Quantities(100, 1000))
    task = TaskSpec(
        "poll", action, resources, Source("dag.py", 7), execution_timeout_seconds=seconds
    )
    return DagSpec("d", "3.11", (task,))


@pytest.mark.parametrize(
    ("action", "seconds"),
    [
        (HttpAction("http://x/"), None),
        (HttpAction("http://x/"), 300.0),
        (HttpAction("http://x/", execution_mode="pod"), 900.0),
        (BashAction("sleep 900"), 900.0),
    ],
)
def test_what_is_within_the_cap_or_in_a_container_passes(
    action: Action, seconds: float | None
) -> None:
    assert check_inline_duration(dag(action, seconds)) == []


def test_an_inline_task_over_the_cap_is_named_with_both_figures_and_the_fix() -> None:
    (text,) = check_inline_duration(dag(HttpAction("http://x/"), 61.5), 60)
    assert text.startswith("dag.py:7: task 'poll' has an execution_timeout_seconds of 61.5, ")
    assert "may take 60 (LEOFLOW_INLINE_HTTP_MAX_DURATION)" in text
    assert "Write execution_mode: pod" in text
