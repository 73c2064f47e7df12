"""The transactions of the scheduler, each one whole: something happened, so this follows.

One function per thing that can happen. What each returns has to be acted upon by the scheduler;
everything else is in the state file already.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from leoflow_agent.wire import Report
from sqlalchemy import Connection

from leoflow_controlplane.inputs import needed_xcoms
from leoflow_controlplane.model import RunKey, RunRequest, TryKey
from leoflow_controlplane.store.attempt import (
    Overdue,
    Policy,
    ask_to_stop,
    find_overdue,
    find_try,
    give_verdict,
    is_current,
    mark_running,
    open_tries,
    task_of,
    update_try,
)
from leoflow_controlplane.store.progress import (
    Progress,
    advance,
    find_due_runs,
    find_next_due,
)
from leoflow_controlplane.store.report import Recorded, record_report, store_log, store_xcom
from leoflow_controlplane.store.result import load_xcoms
from leoflow_controlplane.store.run import cancel_run, create_run, find_run, parse_spec
from leoflow_controlplane.verdict import Exit, Verdict, judge_exit


class Stop(NamedTuple):
    """A try whose container has to go. ``grace_seconds`` 0: at once."""

    key: TryKey
    grace_seconds: float


def submit(
    connection: Connection, policy: Policy, request: RunRequest, key: RunKey, now: float
) -> Progress:
    """Write a run down and hand out its first tries."""
    create_run(connection, request, key, policy.instance_id, now)
    return advance(connection, policy, [key], now)


def take_report(
    connection: Connection, policy: Policy, token: str, report: Report, now: float
) -> tuple[Recorded, Progress | None]:
    """Take in a report and hand out the successors if it ends the try."""
    recorded = record_report(connection, policy, token, report, now)
    if recorded.finished:
        return recorded, advance(connection, policy, [recorded.key.run], now)
    if any(event["type"] == "started" for event in report["events"]):
        return recorded, Progress((), find_next_due(connection, policy.instance_id))
    return recorded, None


def settle(
    connection: Connection,
    policy: Policy,
    key: TryKey,
    end: tuple[Exit, str | None, bytes | None],
    now: float,
) -> Progress | None:
    """Give the verdict on a try that ended without a report; None if one came after all.

    ``end`` is how it ended, the tail of its output, which is kept when nothing else is, and the
    verdict that its agent left.
    """
    row = find_try(connection, key)
    if not is_current(row):
        return None
    exit, tail, left = end
    if tail and row.acked_seq == 0:
        store_log(connection, row, "stderr", tail, now)
    missing = _result_missing(connection, row)
    verdict = judge_exit(exit, task_of(row), result_missing=missing, left=left)
    if row.terminate and verdict.state == "failed":
        verdict = Verdict("failed", row.terminate)
    return _end(connection, policy, key, verdict, now)


def fail_launch(
    connection: Connection, policy: Policy, key: TryKey, reason: str, now: float
) -> Progress | None:
    """Fail a try that could not be started; trying again is not for the user's retries to do."""
    row = find_try(connection, key)
    if not is_current(row):
        return None
    verdict = Verdict("failed", row.terminate or reason, retryable=False)
    return _end(connection, policy, key, verdict, now)


def begin_inline(connection: Connection, key: TryKey, now: float) -> None:
    """Note that an inline call is under way."""
    row = find_try(connection, key)
    if is_current(row):
        mark_running(connection, row, now)


def log_inline(connection: Connection, key: TryKey, text: str, now: float) -> None:
    """Keep a line of what an inline call does."""
    row = find_try(connection, key)
    if is_current(row):
        store_log(connection, row, "stdout", text, now)


def end_inline(
    connection: Connection,
    policy: Policy,
    key: TryKey,
    outcome: tuple[Verdict, str | None, float],
    now: float,
) -> Progress | None:
    """Take in the verdict of an inline call, its value as JSON text, and when it was over."""
    row = find_try(connection, key)
    if not is_current(row):
        return None
    verdict, value, left_at = outcome
    if value is not None and verdict.state == "success":
        store_xcom(connection, row, "return_value", value)
    update_try(connection, row.id, {"left_at": left_at})
    return _end(connection, policy, key, verdict, now)


def cancel(
    connection: Connection, policy: Policy, key: RunKey, now: float
) -> tuple[list[Stop], Progress | None]:
    """Cancel a run: what waits ends now, what runs is told to stop."""
    if not cancel_run(connection, key):
        return [], None
    run = find_run(connection, key)
    settings = policy.settings
    deadline = now + settings.grace_seconds + settings.removal_allowance_seconds
    stops = [
        Stop(try_key, settings.grace_seconds)
        for try_key in open_tries(connection, run.id)
        if ask_to_stop(connection, try_key, "the run was cancelled", deadline)
    ]
    return stops, advance(connection, policy, [key], now)


def come_due(
    connection: Connection, policy: Policy, now: float
) -> tuple[list[Stop], Progress, list[RunKey]]:
    """Do what the clock demands: retries start, tries past their deadline are stopped."""
    overdue = find_overdue(connection, policy.instance_id, now)
    stops = [_enforce(connection, policy, item, now) for item in overdue]
    keys = set(find_due_runs(connection, policy.instance_id, now))
    keys |= {item.key.run for item in overdue}
    return stops, advance(connection, policy, sorted(keys), now), sorted(keys)


def _enforce(connection: Connection, policy: Policy, item: Overdue, now: float) -> Stop:
    settings = policy.settings
    if item.verdict_given or item.told_to_stop:
        _give_up(connection, item, now)
        return Stop(item.key, 0)
    deadline = now + settings.grace_seconds + settings.removal_allowance_seconds
    ask_to_stop(connection, item.key, _overdue_reason(item, policy), deadline)
    return Stop(item.key, settings.grace_seconds)


def _give_up(connection: Connection, item: Overdue, now: float) -> None:
    row = find_try(connection, item.key)
    if is_current(row):
        reason = f"{row.terminate}; its container could not be stopped"
        give_verdict(connection, row, Verdict("failed", reason), now)
    update_try(connection, row.id, {"ended_at": now, "deadline_at": None})


def _overdue_reason(item: Overdue, policy: Policy) -> str:
    if not item.agent_seen:
        allowance = policy.settings.start_allowance_seconds
        return f"the container did not report within {allowance:g} s of its dispatch"
    return (
        f"timed out: it ran longer than execution_timeout_seconds = {_timeout(item):g}, and its "
        "agent did not end it"
    )


def _timeout(item: Overdue) -> float:
    return item.task.execution_timeout_seconds or 0.0


def _end(
    connection: Connection, policy: Policy, key: TryKey, verdict: Verdict, now: float
) -> Progress:
    row = find_try(connection, key)
    ended = {} if row.ended_at is not None else {"ended_at": now}
    give_verdict(connection, row, verdict, now, deadline_at=None, **ended)
    return advance(connection, policy, [key.run], now)


def _result_missing(connection: Connection, row: Any) -> bool:
    wanted = {
        (task_id, key)
        for task in parse_spec(row.spec).tasks
        for task_id, key in needed_xcoms(task.action)
        if task_id == row.ti_task_id
    }
    return len(load_xcoms(connection, row.ti_run_pk, wanted)) < len(wanted)
