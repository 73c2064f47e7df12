"""Every way in which a process can end has one verdict."""

from __future__ import annotations

import pytest
from leoflow_agent.verdict import judge

FAILED = {"state": "failed", "reason": "ValueError: x", "exit_code": 1, "left": 1.0}
SUCCESS = {"state": "success", "reason": None, "exit_code": 0, "left": 1.0}
STOPPED = (124, "timed out")


@pytest.mark.parametrize(
    ("kind", "wait_status", "told", "stopped", "state", "code"),
    [
        ("python", 0, SUCCESS, None, "success", 0),
        ("python", 1 << 8, FAILED, None, "failed", 1),
        ("python", 0, None, None, "failed", 1),
        ("python", 3 << 8, None, None, "failed", 3),
        ("python", 9, None, None, "failed", 137),
        ("python", 11, None, None, "failed", 139),
        ("python", 11 | 0x80, None, None, "failed", 139),
        ("python", 15, None, STOPPED, "failed", 124),
        ("python", 1 << 8, FAILED, STOPPED, "failed", 124),
        ("python", 0, SUCCESS, STOPPED, "success", 0),
        ("python", 9, SUCCESS, None, "success", 0),
        ("bash", 0, None, None, "success", 0),
        ("bash", 99 << 8, None, None, "skipped", 99),
        ("bash", 2 << 8, None, None, "failed", 2),
        ("bash", 125 << 8, None, None, "failed", 1),
        ("bash", 0, None, STOPPED, "failed", 124),
    ],
)
def test_verdicts(kind, wait_status, told, stopped, state, code):
    found = judge(kind, wait_status, told, stopped)
    assert (found[0], found[2]) == (state, code)


def test_a_stop_gives_its_own_reason():
    assert judge("python", 15, None, STOPPED)[1] == "timed out"


def test_a_command_that_bash_did_not_find_is_told_with_what_brings_it():
    reason = judge("bash", 127 << 8, None, None)[1]
    assert "exit code 127: a command was not found; `system_packages`" in reason


def test_a_kill_points_at_memory():
    assert "too much memory" in judge("python", 9, None, None)[1]


def test_a_silent_end_names_the_exit_code():
    assert "exit code 3" in judge("python", 3 << 8, None, None)[1]
