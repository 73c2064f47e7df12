"""What a watcher of a run is told: everything, in order, however it is kept."""

from __future__ import annotations

import pytest
from ground import KEY, Ground
from house import make_task
from leoflow_controlplane.book import draft
from leoflow_controlplane.model import Update
from leoflow_controlplane.schema import journal
from leoflow_controlplane.store.result import load_updates
from sqlalchemy import func, select


def told(ground: Ground) -> list[Update]:
    updates, *_ = ground.read(load_updates, KEY, 0)
    return updates


def count_rows(ground: Ground) -> int:
    return ground.read(lambda c: int(c.scalar(select(func.count()).select_from(journal)) or 0))


def test_changes_of_state_become_durable_as_one_row_and_are_told_one_by_one(
    durable: Ground,
) -> None:
    (key,) = durable.submit(make_task("a"), make_task("b", "a"))
    assert [(u.task_id, u.text, u.try_number) for u in told(durable)] == [
        (None, "queued", 0),
        (None, "running", 0),
        ("a", "scheduled", 0),
        ("a", "queued", 1),
    ]
    assert count_rows(durable) == 1
    durable.now = 105.0
    durable.finish(key, "failed")
    last = told(durable)[-1]
    assert count_rows(durable) == 2
    assert last == Update("state", 105.0, "failed", None)
    assert [(u.task_id, u.text, u.reason) for u in told(durable)[-3:-1]] == [
        ("a", "failed", None),
        ("b", "upstream_failed", "trigger rule 'all_success' with upstream 'a' failed"),
    ]


def test_what_a_task_wrote_comes_between_its_states(durable: Ground) -> None:
    (key,) = durable.submit(make_task("a"))
    before = len(told(durable))
    end = {"type": "finished", "state": "success", "reason": None, "exit_code": 0}
    line = {"type": "log", "stream": "stdout", "text": "hello"}
    durable.report(key, {"seq": 1, "type": "started"}, {"seq": 2, **line}, {"seq": 3, **end})
    assert [(u.kind, u.text) for u in told(durable)[before:]] == [
        ("state", "running"),
        ("log", "hello"),
        ("state", "success"),
        ("state", "success"),
    ]


def test_many_changes_are_told_in_parts(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "MOST_CHANGES", 3)
    ground.submit(*(make_task(name) for name in "abcd"))
    assert len(told(ground)) == 2 + 4 + 4
    assert count_rows(ground) == 4
