"""What a webhook is told. The message is kept in the step that brought the state about."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from leoflow_agent.spec import Webhook

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.liverun.instance import Instance


def tell_task_end(book: Book, run: HeldRun, instance: Instance, now: float) -> None:
    """Keep a message for each webhook of a task that has succeeded or failed for good."""
    task = run.version.tasks[instance.task_id]
    hooks = task.on_success if instance.state == "success" else task.on_failure
    if hooks:
        more = {
            "task_id": instance.task_id,
            "map_index": instance.map_index,
            "try_number": instance.try_number,
        }
        _tell(book, run, hooks, _body(run, more, instance), now)


def tell_run_end(book: Book, run: HeldRun, now: float) -> None:
    """Keep a message for each webhook of a DAG whose run has ended."""
    spec = run.version.spec
    hooks = spec.on_success if run.facts.state == "success" else spec.on_failure
    if hooks:
        more = {"task_id": None, "map_index": None, "try_number": None}
        _tell(book, run, hooks, _body(run, more, run.facts), now)


def _tell(book: Book, run: HeldRun, hooks: Iterable[Webhook], body: str, now: float) -> None:
    for hook in hooks:
        place = {"url": hook.url, "connection": hook.connection}
        row = {"run_pk": run.pk, **place, "body": body, "attempts": 0, "due_at": now}
        book.draft.note_webhook(row)
        book.led_to.has_webhooks = True


def _body(run: HeldRun, more: dict[str, Any], ended: Any) -> str:
    document = {
        "dag_id": run.key.dag_id,
        "run_id": run.key.run_id,
        **more,
        "state": ended.state,
        "reason": ended.reason,
        "start_date": _iso(ended.started_at),
        "end_date": _iso(ended.finished_at),
    }
    return json.dumps(document, ensure_ascii=False)


def _iso(instant: float | None) -> str | None:
    return None if instant is None else datetime.fromtimestamp(instant, UTC).isoformat()
