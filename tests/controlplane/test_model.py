"""The states and the ways between them."""

from __future__ import annotations

from typing import get_args

import pytest
from leoflow_controlplane.model import FINISHED, TRANSITIONS, TaskState

STATES = get_args(TaskState)


def test_every_state_has_its_ways() -> None:
    assert set(TRANSITIONS) == {None, *STATES}


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_reached_and_left(state: TaskState) -> None:
    assert any(state in ways for ways in TRANSITIONS.values())
    assert TRANSITIONS[state]
    assert state not in TRANSITIONS[state]


@pytest.mark.parametrize("state", sorted(map(str, FINISHED)))
def test_what_is_finished_goes_on_only_if_it_is_cleared(state: TaskState) -> None:
    ways = TRANSITIONS[state]
    assert None in ways
    assert ways <= {None, *FINISHED}
