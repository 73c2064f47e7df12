"""The trigger rules, row by row as Airflow has them, and that none of them waits for ever."""

from __future__ import annotations

from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.spec import TriggerRule
from leoflow_controlplane.model import FINISHED, TaskState
from leoflow_controlplane.trigger import evaluate_trigger_rule

RULES = get_args(TriggerRule)
STATES = st.sampled_from([None, *get_args(TaskState)])
OK, BAD, SKIP, UP, RUN = "success", "failed", "skipped", "upstream_failed", "running"

TABLE = [
    ("all_success", [OK, OK], "run"),
    ("all_success", [OK, RUN], "wait"),
    ("all_success", [BAD, RUN], "upstream_failed"),
    ("all_success", [UP, OK], "upstream_failed"),
    ("all_success", [SKIP, RUN], "skip"),
    ("all_success", [SKIP, BAD], "upstream_failed"),
    ("all_success", [None], "wait"),
    ("all_failed", [BAD, UP], "run"),
    ("all_failed", [BAD, RUN], "wait"),
    ("all_failed", [OK, RUN], "skip"),
    ("all_failed", [SKIP, BAD], "skip"),
    ("all_done", [OK, BAD, SKIP, UP], "run"),
    ("all_done", [OK, "up_for_retry"], "wait"),
    ("one_success", [OK, RUN], "run"),
    ("one_success", [BAD, RUN], "wait"),
    ("one_success", [BAD, SKIP], "upstream_failed"),
    ("one_success", [SKIP, SKIP], "skip"),
    ("one_failed", [BAD, RUN], "run"),
    ("one_failed", [UP, RUN], "run"),
    ("one_failed", [OK, RUN], "wait"),
    ("one_failed", [OK, SKIP], "skip"),
    ("none_failed", [OK, SKIP], "run"),
    ("none_failed", [SKIP, SKIP], "run"),
    ("none_failed", [BAD, RUN], "upstream_failed"),
    ("none_failed", [OK, RUN], "wait"),
    ("none_failed_min_one_success", [OK, SKIP], "run"),
    ("none_failed_min_one_success", [SKIP, SKIP], "skip"),
    ("none_failed_min_one_success", [UP, RUN], "upstream_failed"),
    ("none_failed_min_one_success", [OK, RUN], "wait"),
    ("always", [RUN, None], "run"),
    ("always", [BAD], "run"),
]


@pytest.mark.parametrize(("rule", "states", "outcome"), TABLE)
def test_rule(rule: TriggerRule, states: list[TaskState | None], outcome: str) -> None:
    for order in permutations(states):
        assert evaluate_trigger_rule(rule, order) == outcome


@pytest.mark.parametrize("rule", RULES)
def test_a_task_without_upstream_runs(rule: TriggerRule) -> None:
    assert evaluate_trigger_rule(rule, []) == "run"


@given(st.sampled_from(RULES), st.lists(st.sampled_from(sorted(map(str, FINISHED))), max_size=6))
def test_once_all_upstream_is_done_nothing_waits(
    rule: TriggerRule, states: list[TaskState]
) -> None:
    assert evaluate_trigger_rule(rule, states) != "wait"


@given(st.sampled_from(RULES), st.lists(STATES, max_size=6), st.randoms())
def test_the_order_of_upstream_tasks_does_not_matter(
    rule: TriggerRule, states: list[TaskState | None], random: object
) -> None:
    shuffled = list(states)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert evaluate_trigger_rule(rule, shuffled) == evaluate_trigger_rule(rule, states)
