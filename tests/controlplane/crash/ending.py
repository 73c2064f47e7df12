"""What there has to be when all runs of the crash tests are over, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from asking import ask_world
from behaviour import LINES, expected_tries, expected_values, make_crash_dag
from sqlalchemy import create_engine, text

DAG = make_crash_dag()


def check(url: str, world: Path, runs: int) -> None:
    """Compare the tables at ``url`` and what the world has seen with what so many runs leave."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.connect() as state:
        ends = dict(map(tuple, state.execute(text("SELECT run_id, state FROM runs"))))
        values = state.execute(
            text("SELECT r.run_id, x.task_id, x.value FROM xcoms x JOIN runs r ON r.id = x.run_pk")
        ).fetchall()
        tries = state.execute(
            text(
                "SELECT r.run_id, t.task_id, t.try_number, t.ended_at IS NOT NULL FROM tries t "
                "JOIN runs r ON r.id = t.run_pk"
            )
        ).fetchall()
        lines = Counter(
            state.execute(
                text(
                    "SELECT run_pk, task_id, text FROM journal j WHERE kind = 'log' "
                    "AND try_number = (SELECT max(try_number) FROM tries t "
                    "WHERE t.run_pk = j.run_pk AND t.task_id = j.task_id)"
                )
            ).fetchall()
        )
    engine.dispose()
    names = [f"run-{number}" for number in range(1, runs + 1)]
    assert ends == dict.fromkeys(names, "success")
    expected = expected_values(DAG)
    assert {(run, task): json.loads(value) for run, task, value in values} == {
        (name, task): value for name in names for task, value in expected.items()
    }
    assert set(lines.values()) == {1}
    assert len(lines) == runs * len(DAG.tasks) * LINES
    assert all(ended for *_, ended in tries)
    counted = Counter((run, task) for run, task, *_ in tries)
    assert counted == {
        (name, task): count for name in names for task, count in expected_tries(DAG).items()
    }
    told = ask_world(world)
    started = Counter({tuple(name): count for *name, count in told["created"]})
    assert set(started.values()) == {1}
    assert {(name[1], name[2], name[4]) for name in started} == {
        (run, task, number) for run, task, number, _ in tries
    }
    assert told["there"] == []
    assert told["refused"] == []
