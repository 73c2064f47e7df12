"""A function gets the facts of its run by naming them, or all of them by taking everything."""

from __future__ import annotations

import functools
import pickle
from datetime import UTC, datetime

import pytest
from leoflow import TaskInstance, get_current_context
from leoflow_agent.context import NAMES, free, injected, make_context

CONTEXT = {
    "dag_id": "etl",
    "run_id": "scheduled__1",
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


def _find():
    return make_context(CONTEXT, None)


def test_every_name_that_is_known_has_a_value():
    assert sorted(_find()) == sorted(NAMES)


def test_values_are_what_airflow_calls_by_these_names():
    def task(logical_date, ds, ts, ts_nodash, ti, task_instance, dag_run, params, try_number):
        raise AssertionError

    values = injected(task, _inputs(), _find)
    assert values["logical_date"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert values["ds"] == "2026-01-02"
    assert values["ts"] == "2026-01-02T03:04:05+00:00"
    assert values["ts_nodash"] == "20260102T030405"
    assert (values["ti"].task_id, values["ti"].try_number) == ("load", 2)
    assert values["ti"] is values["task_instance"]
    assert values["dag_run"].conf == {"size": 3}
    assert values["dag_run"].run_type == "scheduled"
    assert values["dag_run"].data_interval_end == datetime(2026, 1, 2, tzinfo=UTC)
    assert values["params"] == {"size": 3}
    assert values["try_number"] == 2


def test_what_the_call_gives_is_left_alone():
    def task(ds, params, run_id):
        raise AssertionError

    assert injected(task, _inputs("mine", params=1), _find) == {"run_id": "scheduled__1"}


def test_other_parameters_are_left_to_their_defaults():
    def task(rows=None, *, limit=5):
        raise AssertionError

    assert injected(task, _inputs(), _find) == {}


def test_the_context_is_made_only_for_those_who_take_something():
    def task(rows=None):
        raise AssertionError

    def find():
        raise AssertionError

    assert injected(task, _inputs(), find) == {}


def test_a_function_that_takes_everything_gets_everything():
    def task(rows, **context):
        raise AssertionError

    assert sorted(injected(task, _inputs([1]), _find)) == sorted(NAMES)
    assert "ds" not in injected(task, _inputs([1], ds="mine"), _find)


def test_a_wrapper_that_takes_everything_is_looked_through():
    def task(rows, ds, limit=5):
        raise AssertionError

    @functools.wraps(task)
    def wrapper(*args, **kwargs):
        raise AssertionError

    assert free(wrapper, 1, {}) == ["ds"]


def test_a_method_and_a_callable_object_name_what_they_take_without_self():
    class Job:
        def __call__(self, rows, ds):
            raise AssertionError

        def run(self, rows, ds, run_id):
            raise AssertionError

    assert free(Job(), 1, {}) == ["ds"]
    assert free(Job().run, 2, {}) == ["run_id"]


def test_keyword_only_parameters_are_not_given_by_position():
    def task(*rows, ds):
        raise AssertionError

    assert free(task, 3, {}) == ["ds"]


def test_what_has_no_python_code_gets_nothing():
    assert free(len, 1, {}) == []


@pytest.mark.parametrize("use", ["xcom_pull", "xcom_push"])
def test_a_task_instance_in_another_process_has_its_facts_and_says_what_it_cannot(use):
    there = pickle.loads(pickle.dumps(_find()["ti"]))
    assert isinstance(there, TaskInstance)
    assert (there.run_id, there.try_number) == ("scheduled__1", 2)
    with pytest.raises(RuntimeError, match=f"ti.{use} works in the task's own process only"):
        getattr(there, use)("key", "value")


def test_there_is_no_current_context_outside_of_a_task():
    with pytest.raises(RuntimeError, match="in the process of a task only"):
        get_current_context()
