"""Take in what agents report: each event once, in order, and only from the try that counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from leoflow_agent.spec import TaskSpec
from leoflow_agent.wire import Acknowledgement, Event, Inputs, Pulled, Report
from sqlalchemy import Connection, Row, bindparam, delete, insert

from leoflow_controlplane.error import Stale, Unauthorized
from leoflow_controlplane.inputs import needed_xcoms, resolve_inputs
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.schema import journal, tries, xcoms
from leoflow_controlplane.store.attempt import (
    TRY_ROWS,
    Policy,
    give_verdict,
    is_current,
    key_of,
    mark_running,
    task_of,
    update_try,
)
from leoflow_controlplane.store.result import load_xcom, load_xcoms
from leoflow_controlplane.store.run import parse_spec
from leoflow_controlplane.verdict import Verdict
from leoflow_controlplane.workload import hash_token

_FIND_BY_TOKEN = TRY_ROWS.where(tries.c.token_hash == bindparam("token_hash"))
_FIND_BY_PK = TRY_ROWS.where(tries.c.id == bindparam("try_pk"))
_WRITE = insert(journal)
# Columns that a verdict depends on, and that events before it in the same report may have set.
_READ_AGAIN = frozenset({"defect", "agent_up_at"})
_INSERT_XCOM = insert(xcoms)
_DELETE_XCOM = delete(xcoms).where(
    xcoms.c.run_pk == bindparam("run_pk"),
    xcoms.c.task_id == bindparam("task_id"),
    xcoms.c.map_index == bindparam("map_index"),
    xcoms.c.key == bindparam("key"),
)


class Recorded(NamedTuple):
    """What became of a report. ``finished``: the try has its verdict now."""

    acknowledgement: Acknowledgement
    key: TryKey
    finished: bool


class _Taking(NamedTuple):
    connection: Connection
    policy: Policy
    row: Row[Any]
    now: float


def record_report(
    connection: Connection, policy: Policy, token: str, report: Report, now: float
) -> Recorded:
    """Take in a report and say up to where it is durable.

    Events that were taken before are ignored, events after a gap are left out and not
    acknowledged. Raises Unauthorized (unknown token, or bound to another nonce) and Stale (the
    try is over or superseded), and then changes nothing.
    """
    row = _authorize(connection, token, report["nonce"])
    if not is_current(row):
        return _repeat(row, report, policy)
    fresh = _in_order(report["events"], row.acked_seq)
    values: dict[str, Any] = {"nonce": report["nonce"]}
    finished = False
    for event in fresh:
        if finished:
            break
        taking = _Taking(connection, policy, row, now)
        values |= _TAKE[event["type"]](taking, event)
        values["acked_seq"] = event["seq"]
        finished = event["type"] == "finished"
    ack = values.get("acked_seq", row.acked_seq)
    if not finished or values.keys() & _READ_AGAIN:
        update_try(connection, row.id, values)
        values = {}
    if finished:
        row = row if values else _reload(connection, row)
        _finish(_Taking(connection, policy, row, now), fresh, values)
    return Recorded(_acknowledge(ack, row, policy), key_of(row), finished)


def load_inputs(connection: Connection, token: str) -> tuple[TaskSpec, Inputs]:
    """Give the task of the try that ``token`` belongs to, and its inputs without what is secret;
    errors as record_report."""
    row = _authorize_current(connection, token)
    task = task_of(row)
    values = load_xcoms(connection, row.ti_run_pk, needed_xcoms(task.action))
    return task, resolve_inputs(task.action, values)


def load_pulled(
    connection: Connection, token: str, task_id: str, key: str, map_index: int
) -> Pulled:
    """Give what a task of the run that ``token`` belongs to left; errors as record_report."""
    row = _authorize_current(connection, token)
    known = [task.task_id for task in parse_spec(row.spec).tasks]
    if task_id not in known:
        found = f"DAG '{row.dag_id}' has no task '{task_id}'. It has: {', '.join(known)}."
        return Pulled(value=None, error=found)
    value = load_xcom(connection, row.ti_run_pk, task_id, key, map_index)
    return Pulled(value=value, error=None)


def store_log(
    connection: Connection, row: Row[Any], stream: str, text: str, at: float, seq: int | None = None
) -> None:
    """Keep a piece of the log of a try; ``seq`` is the number of the event that brought it."""
    connection.execute(
        _WRITE,
        {
            "run_pk": row.ti_run_pk,
            "kind": "log",
            "at": at,
            "text": text,
            "task_id": row.ti_task_id,
            "map_index": row.ti_map_index,
            "try_number": row.try_number,
            "seq": seq,
            "stream": stream,
        },
    )


def store_xcom(connection: Connection, row: Row[Any], key: str, value: str) -> None:
    """Keep one value (JSON text) of the task of a try, in place of an earlier one."""
    place = {
        "run_pk": row.ti_run_pk,
        "task_id": row.ti_task_id,
        "map_index": row.ti_map_index,
        "key": key,
    }
    connection.execute(_DELETE_XCOM, place)
    connection.execute(_INSERT_XCOM, {**place, "value": value})


def describe_oversize(task_id: str, key: str, size_bytes: int, limit_bytes: int) -> str:
    """Say that a value is too large to keep, and what to do instead."""
    return (
        f"the value '{key}' of task '{task_id}' is {size_bytes} bytes of JSON, more than the limit "
        f"of {limit_bytes}. Write it to storage and return where it is, or raise "
        "LEOFLOW_XCOM_LIMIT_BYTES."
    )


def _authorize_current(connection: Connection, token: str) -> Row[Any]:
    row = _authorize(connection, token, None)
    if not is_current(row):
        raise Stale(f"try {row.try_number} of task '{row.ti_task_id}' is over")
    return row


def _authorize(connection: Connection, token: str, nonce: str | None) -> Row[Any]:
    row = connection.execute(_FIND_BY_TOKEN, {"token_hash": hash_token(token)}).one_or_none()
    if row is None:
        raise Unauthorized("unknown token")
    if nonce is not None and row.nonce not in (None, nonce):
        raise Unauthorized("the token is in use by another agent")
    return row


def _repeat(row: Row[Any], report: Report, policy: Policy) -> Recorded:
    """Acknowledge the last report once more when its acknowledgement was lost; else refuse."""
    events = report["events"]
    known = bool(events) and all(event["seq"] <= row.acked_seq for event in events)
    if known and row.reported_verdict and row.try_number == row.ti_try_number:
        return Recorded(_acknowledge(row.acked_seq, row, policy), key_of(row), finished=False)
    raise Stale(f"try {row.try_number} of task '{row.ti_task_id}' is over")


def _in_order(events: list[Event], acked: int) -> list[Event]:
    fresh = []
    for event in sorted(events, key=lambda event: event["seq"]):
        if event["seq"] == acked + 1:
            fresh.append(event)
            acked += 1
    return fresh


def _acknowledge(ack: int, row: Row[Any], policy: Policy) -> Acknowledgement:
    return Acknowledgement(
        ack=ack, terminate=row.terminate, heartbeat_seconds=policy.settings.heartbeat_seconds
    )


def _take_started(taking: _Taking, event: Event) -> dict[str, Any]:
    mark_running(taking.connection, taking.row, taking.now)
    timeout = task_of(taking.row).execution_timeout_seconds
    settings = taking.policy.settings
    deadline = None
    if timeout is not None:
        deadline = (
            taking.now + timeout + settings.grace_seconds + settings.removal_allowance_seconds
        )
    values = {"agent_up_at": event.get("agent_up", event["at"])}
    # Once it was told to stop, the earlier deadline stays.
    return values if taking.row.terminate else {**values, "deadline_at": deadline}


def _take_entered(_taking: _Taking, event: Event) -> dict[str, Any]:
    return {
        "import_started_at": event.get("import_started"),
        "entered_at": event.get("entered", event["at"]),
    }


def _take_log(taking: _Taking, event: Event) -> dict[str, Any]:
    stream, text = event.get("stream", "stdout"), event.get("text", "")
    store_log(taking.connection, taking.row, stream, text, event["at"], event["seq"])
    return {}


def _take_xcom(taking: _Taking, event: Event) -> dict[str, Any]:
    key, limit = event.get("key", "return_value"), taking.policy.settings.xcom_limit_bytes
    text = json.dumps(event.get("value"), ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        return {"defect": describe_oversize(taking.row.ti_task_id, key, size, limit)}
    store_xcom(taking.connection, taking.row, key, json.dumps(event.get("value")))
    return {}


def _take_finished(_taking: _Taking, event: Event) -> dict[str, Any]:
    return {"left_at": event.get("left"), "exit_code": event.get("exit_code")}


def _take_nothing(_taking: _Taking, _event: Event) -> dict[str, Any]:
    return {}


def _finish(taking: _Taking, events: list[Event], values: dict[str, Any]) -> None:
    event = next(event for event in events if event["type"] == "finished")
    row, settings = taking.row, taking.policy.settings
    state, retryable = event.get("state", "failed"), event.get("retryable", True)
    verdict = Verdict(state, event.get("reason"), retryable)
    if row.defect and verdict.state == "success":
        verdict = Verdict("failed", row.defect)
    elif row.terminate and verdict.state == "failed":
        verdict = Verdict("failed", row.terminate)
    # The container has to go by itself now, or else be removed.
    deadline_at = taking.now + settings.grace_seconds + settings.removal_allowance_seconds
    values = {**values, "reported_verdict": True, "deadline_at": deadline_at}
    give_verdict(taking.connection, row, verdict, taking.now, **values)


def _reload(connection: Connection, row: Row[Any]) -> Row[Any]:
    return connection.execute(_FIND_BY_PK, {"try_pk": row.id}).one()


_TAKE: dict[str, Callable[[_Taking, Event], dict[str, Any]]] = {
    "started": _take_started,
    "entered": _take_entered,
    "log": _take_log,
    "xcom": _take_xcom,
    "heartbeat": _take_nothing,
    "finished": _take_finished,
}
