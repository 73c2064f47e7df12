"""What there has to be when runs of the crash tests are over, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from asking import ask_world
from behaviour import LINES, expected
from leoflow_agent.spec import DagSpec
from sqlalchemy import create_engine, text

VALUES = """
SELECT r.run_id, x.task_id, x.map_index, x.value FROM xcoms x JOIN runs r ON r.id = x.run_pk
WHERE x.key = 'return_value'
"""
TRIES = """
SELECT r.run_id, t.task_id, t.map_index, t.try_number, t.ended_at IS NOT NULL
FROM tries t JOIN runs r ON r.id = t.run_pk
"""
LAST_LINES = """
SELECT run_pk, task_id, map_index, text FROM journal j WHERE kind = 'log' AND try_number = (
    SELECT max(try_number) FROM tries t
    WHERE t.run_pk = j.run_pk AND t.task_id = j.task_id AND t.map_index = j.map_index
)
"""


def check(url: str, world: Path, dag: DagSpec, names: Sequence[str]) -> None:
    """Compare the tables at ``url``, and what the world has seen, with what the runs called
    ``names`` leave; they are all that the tables have."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.connect() as state:
        ends = {row.run_id: row.state for row in state.execute(text("SELECT * FROM runs"))}
        values = state.execute(text(VALUES)).fetchall()
        tries = state.execute(text(TRIES)).fetchall()
        lines = Counter(map(tuple, state.execute(text(LAST_LINES))))
    engine.dispose()
    assert ends == dict.fromkeys(names, "success")
    right = expected(dag)
    assert {(run, *task): json.loads(value) for run, *task, value in values} == {
        (name, *task): value for name in names for task, value in right.values.items()
    }
    assert set(lines.values()) == {1}
    assert len(lines) == len(names) * len(right.tries) * LINES
    assert all(ended for *_, ended in tries)
    assert Counter((run, *task) for run, *task, _, _ in tries) == {
        (name, *task): count for name in names for task, count in right.tries.items()
    }
    told = ask_world(world)
    started = {tuple(name[1:]): count for *name, count in told["created"] if name[1] in names}
    assert started == {tuple(row[:4]): 1 for row in tries}
    assert told["there"] == []
    assert told["refused"] == []
