"""A function gets the facts of its run by naming them."""

from __future__ import annotations

from datetime import UTC, datetime

from leoflow_agent.context import NAMES, injected

CONTEXT = {
    "dag_id": "etl",
    "run_id": "manual__1",
    "task_id": "load",
    "map_index": -1,
    "try_number": 2,
    "max_tries": 3,
    "logical_date": "2026-01-02T03:04:05+00:00",
    "data_interval_start": "2026-01-01T00:00:00+00:00",
    "data_interval_end": "2026-01-02T00:00:00+00:00",
    "params": {"size": 3},
    "conf": {"size": 3},
}


def _inputs(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}


def test_every_name_that_is_known_has_a_value():
    source = f"def task({', '.join(NAMES)}): pass"
    namespace: dict = {}
    exec(source, namespace)
    assert sorted(injected(namespace["task"], _inputs(), CONTEXT)) == sorted(NAMES)


def test_values_are_what_airflow_calls_by_these_names():
    def task(logical_date, ds, ts, ti, dag_run, params, try_number):
        raise AssertionError

    values = injected(task, _inputs(), CONTEXT)
    assert values["logical_date"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert values["ds"] == "2026-01-02"
    assert values["ts"] == "2026-01-02T03:04:05+00:00"
    assert (values["ti"].task_id, values["ti"].try_number) == ("load", 2)
    assert values["dag_run"].conf == {"size": 3}
    assert values["params"] == {"size": 3}
    assert values["try_number"] == 2


def test_what_the_call_gives_is_left_alone():
    def task(ds, params, run_id):
        raise AssertionError

    assert injected(task, _inputs("mine", params=1), CONTEXT) == {"run_id": "manual__1"}


def test_other_parameters_are_left_to_their_defaults():
    def task(rows=None, *, limit=5):
        raise AssertionError

    assert injected(task, _inputs(), CONTEXT) == {}
