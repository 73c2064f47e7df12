"""The trigger rules, row by row as Airflow has them, and that none of them waits for ever."""

from __future__ import annotations

from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.spec import TriggerRule
from leoflow_controlplane.liverun.trigger import (
    DONE,
    FAILED,
    SKIPPED,
    SUCCESS,
    UPSTREAM_FAILED,
    Tally,
    evaluate_setups,
    evaluate_trigger_rule,
)

RULES = get_args(TriggerRule)
OK, BAD, SKIP, UP = "success", "failed", "skipped", "upstream_failed"
RUN = "running"
FLAGS = {
    OK: SUCCESS | DONE,
    BAD: FAILED | DONE,
    UP: UPSTREAM_FAILED | DONE,
    SKIP: SKIPPED | DONE,
    RUN: 0,
}

TABLE = [
    ("all_success", [OK, OK], "run"),
    ("all_success", [OK, RUN], "wait"),
    ("all_success", [BAD, RUN], "upstream_failed"),
    ("all_success", [UP, OK], "upstream_failed"),
    ("all_success", [SKIP, RUN], "skip"),
    ("all_success", [SKIP, BAD], "upstream_failed"),
    ("all_success", [RUN], "wait"),
    ("all_failed", [BAD, UP], "run"),
    ("all_failed", [BAD, RUN], "wait"),
    ("all_failed", [OK, RUN], "skip"),
    ("all_failed", [SKIP, BAD], "skip"),
    ("all_done", [OK, BAD, SKIP, UP], "run"),
    ("all_done", [OK, RUN], "wait"),
    ("all_done_min_one_success", [OK, BAD], "run"),
    ("all_done_min_one_success", [OK, RUN], "wait"),
    ("all_done_min_one_success", [SKIP, RUN], "skip"),
    ("all_done_min_one_success", [SKIP, OK], "skip"),
    ("all_done_min_one_success", [BAD, UP], "upstream_failed"),
    ("all_done_setup_success", [OK, BAD, SKIP, UP], "run"),
    ("all_done_setup_success", [OK, RUN], "wait"),
    ("all_skipped", [SKIP, SKIP], "run"),
    ("all_skipped", [SKIP, RUN], "wait"),
    ("all_skipped", [OK, RUN], "skip"),
    ("all_skipped", [SKIP, UP], "skip"),
    ("one_success", [OK, RUN], "run"),
    ("one_success", [BAD, RUN], "wait"),
    ("one_success", [BAD, SKIP], "upstream_failed"),
    ("one_success", [SKIP, SKIP], "skip"),
    ("one_failed", [BAD, RUN], "run"),
    ("one_failed", [UP, RUN], "run"),
    ("one_failed", [OK, RUN], "wait"),
    ("one_failed", [OK, SKIP], "skip"),
    ("one_done", [OK, RUN], "run"),
    ("one_done", [BAD, RUN], "run"),
    ("one_done", [SKIP, RUN], "wait"),
    ("one_done", [UP, RUN], "wait"),
    ("one_done", [SKIP, UP], "skip"),
    ("none_failed", [OK, SKIP], "run"),
    ("none_failed", [SKIP, SKIP], "run"),
    ("none_failed", [BAD, RUN], "upstream_failed"),
    ("none_failed", [OK, RUN], "wait"),
    ("none_failed_min_one_success", [OK, SKIP], "run"),
    ("none_failed_min_one_success", [SKIP, SKIP], "skip"),
    ("none_failed_min_one_success", [UP, RUN], "upstream_failed"),
    ("none_failed_min_one_success", [OK, RUN], "wait"),
    ("none_skipped", [OK, BAD, UP], "run"),
    ("none_skipped", [OK, RUN], "wait"),
    ("none_skipped", [SKIP, RUN], "skip"),
    ("always", [RUN, RUN], "run"),
    ("always", [BAD], "run"),
]

# Of the upstream tasks the first is a setup.
SETUPS = [
    ([OK], [BAD], "run"),
    ([OK, BAD], [OK], "run"),
    ([SKIP], [SKIP], "skip"),
    ([BAD], [OK], "upstream_failed"),
    ([SKIP, UP], [OK], "upstream_failed"),
    ([OK], [RUN], "wait"),
    ([RUN], [OK], "wait"),
]


def tally(states: list[str]) -> Tally:
    counted = Tally(len(states))
    for state in states:
        counted.shift(0, FLAGS[state])
    return counted


@pytest.mark.parametrize(("rule", "states", "outcome"), TABLE)
def test_rule(rule: TriggerRule, states: list[str], outcome: str) -> None:
    for order in permutations(states):
        assert evaluate_trigger_rule(rule, tally(list(order))) == outcome


@pytest.mark.parametrize(("setups", "others", "outcome"), SETUPS)
def test_a_teardown_runs_if_one_of_its_setups_has(
    setups: list[str], others: list[str], outcome: str
) -> None:
    rule: TriggerRule = "all_done_setup_success"
    assert evaluate_trigger_rule(rule, tally(setups + others), tally(setups)) == outcome


@pytest.mark.parametrize(
    ("setups", "outcome"),
    [
        ([], "run"),
        ([OK, OK], "run"),
        ([OK, RUN], "wait"),
        ([BAD, RUN], "upstream_failed"),
        ([SKIP, RUN], "skip"),
        ([SKIP, UP], "upstream_failed"),
    ],
)
def test_all_setups_around_a_task_have_to_succeed(setups: list[str], outcome: str) -> None:
    assert evaluate_setups(tally(setups)) == outcome


@pytest.mark.parametrize("rule", RULES)
def test_a_task_without_upstream_runs(rule: TriggerRule) -> None:
    assert evaluate_trigger_rule(rule, Tally()) == "run"


@given(st.sampled_from(RULES), st.lists(st.sampled_from([OK, BAD, SKIP, UP]), max_size=6))
def test_once_all_upstream_is_done_nothing_waits(rule: TriggerRule, states: list[str]) -> None:
    assert evaluate_trigger_rule(rule, tally(states)) != "wait"


@given(st.lists(st.integers(0, 31), max_size=5), st.integers(0, 31))
def test_what_is_counted_can_be_taken_back(others: list[int], flags: int) -> None:
    kept, shifted = Tally(6), Tally(6)
    for other in others:
        kept.shift(0, other)
        shifted.shift(0, other)
    shifted.shift(0, flags)
    shifted.shift(flags, 0)
    assert shifted == kept
