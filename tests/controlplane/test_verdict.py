"""What the end of a container means when nobody reported it."""

from __future__ import annotations

import json

import pytest
from house import make_task
from leoflow_agent import channel, exitcode, testament, wire
from leoflow_agent.spec import Quantities, Resources
from leoflow_controlplane.verdict import Exit, explain_failure, judge_exit

TASK = make_task("a")

TABLE = [
    (Exit(0), "success", "its last report was lost"),
    (Exit(0, oom_killed=True), "success", "its last report was lost"),
    (Exit(exitcode.SKIPPED), "skipped", "skipped itself"),
    (Exit(1), "failed", "exited with code 1"),
    (Exit(exitcode.IMPORT_FAILED), "failed", "could not be imported"),
    (Exit(exitcode.RESULT_INVALID), "failed", "not JSON or is too large"),
    (Exit(exitcode.RESULT_LOST), "failed", "could not be told"),
    (Exit(exitcode.TIMED_OUT), "failed", "execution_timeout_seconds"),
    (Exit(exitcode.TERMINATED), "failed", "told to stop"),
    (Exit(exitcode.AGENT_FAILED), "failed", "agent inside the container failed"),
    (Exit(exitcode.WORKLOAD_INVALID), "failed", "rebuild it with 'leoflow build'"),
    (Exit(137), "failed", "signal 9 (SIGKILL)"),
    (Exit(128 + 99), "failed", "signal 99"),
    (Exit(137, oom_killed=True), "failed", "limit of 64 MiB"),
    (Exit(None), "failed", "vanished"),
    (Exit(None, reason="engine away"), "failed", "engine away"),
]


@pytest.mark.parametrize(("exit", "state", "text"), TABLE)
def test_the_end_of_a_container(exit: Exit, state: str, text: str) -> None:
    verdict = judge_exit(exit, TASK, result_missing=False)
    assert verdict.state == state
    assert text in str(verdict.reason)


def test_success_without_a_value_that_is_needed_is_none() -> None:
    assert judge_exit(Exit(0), TASK, result_missing=True).state == "failed"


def _left(**fields: object) -> bytes:
    return json.dumps({"state": "failed", "reason": "no rows", "exit_code": 1, **fields}).encode()


@pytest.mark.parametrize(
    ("left", "exit", "text"),
    [
        (_left(), Exit(1), "no rows"),
        (_left(exit_code=99), Exit(99), "no rows"),
        (_left(exit_code=137), Exit(137, oom_killed=True), "limit of 64 MiB"),
        (_left(), Exit(1, oom_killed=True), "no rows"),
        (_left(exit_code=2), Exit(1), "exited with code 1"),
        (_left(reason=None), Exit(1), "exited with code 1"),
        (_left(reason=["x"]), Exit(1), "exited with code 1"),
        (_left(reason="a\ud800"), Exit(1), "a?"),
        (_left(), Exit(137), "signal 9 (SIGKILL)"),
        (_left(), Exit(None), "vanished"),
        (b"", Exit(1), "exited with code 1"),
        (b"[" * 5000, Exit(1), "exited with code 1"),
        (b"[1]", Exit(1), "exited with code 1"),
        (b"\xff", Exit(1), "exited with code 1"),
        (None, Exit(1), "exited with code 1"),
    ],
)
def test_a_verdict_that_was_left_gives_the_reason_if_it_is_the_agents(
    left: bytes | None, exit: Exit, text: str
) -> None:
    verdict = judge_exit(exit, TASK, result_missing=False, left=left)
    assert verdict.state == ("skipped" if exit.code == 99 else "failed")
    assert text in str(verdict.reason)


def test_a_verdict_that_was_left_turns_no_exit_code_into_a_success() -> None:
    verdict = judge_exit(Exit(1), TASK, result_missing=False, left=_left(state="success"))
    assert verdict.state == "failed"


def test_the_agent_leaves_its_verdict_where_it_is_looked_for() -> None:
    assert testament.DEFAULT_PATH.decode() == wire.VERDICT_FILE
    assert testament.VARIABLE.decode() == wire.VERDICT_VARIABLE
    assert testament.MAX_BYTES == wire.MAX_VERDICT_BYTES
    assert channel.MARK == wire.PROTOCOL_HEADER


def test_the_advice_names_the_field_that_holds_the_limit() -> None:
    limited = Resources(Quantities(100, 1024**2), Quantities(None, 3 * 1024**2))
    task = make_task("a", resources=limited)
    text = explain_failure("killed", Exit(137, oom_killed=True), task)
    assert text is not None
    assert "3 MiB" in text
    assert "resources.limits.memory of task 'a'" in text


def test_a_failure_of_its_own_keeps_its_reason_and_memory_is_told_beside_it() -> None:
    text = explain_failure("ValueError", Exit(1, oom_killed=True), TASK)
    assert text is not None
    assert text.startswith("ValueError; a process of this task was killed by the kernel")
    assert "resources.requests.memory of task 'a'" in text


def test_a_failure_without_a_flag_keeps_its_reason() -> None:
    assert explain_failure("ValueError", Exit(1), TASK) == "ValueError"
