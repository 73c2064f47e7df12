"""Whether the call of a task fits its function, which may ask for its context."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagfolder import DAG, problems, read, write


def test_context_is_given_at_run_time_so_it_may_be_absent(tmp_path: Path) -> None:
    takes = "def extract(ti, params, *, logical_date):"
    assert read(write(tmp_path, DAG.replace("def extract():", takes)))


def test_a_function_may_take_the_context_as_a_whole(tmp_path: Path) -> None:
    assert read(write(tmp_path, DAG.replace("def extract():", "def extract(**context):")))


def test_a_wrapper_is_looked_through(tmp_path: Path) -> None:
    wrapper = (
        "import functools\n"
        "def logged(function):\n"
        "    @functools.wraps(function)\n"
        "    def wrapper(*args, **kwargs):\n        return function(*args, **kwargs)\n"
        "    return wrapper\n"
    )
    fits = DAG.replace("@task\ndef extract():", "@task\n@logged\ndef extract(ds):")
    assert fits != DAG
    assert read(write(tmp_path, wrapper + fits))
    (problem,) = problems(write(tmp_path, wrapper + fits.replace("(ds)", "(rows)")))
    assert "missing a required argument: 'rows'" in problem
    generates = fits.replace("(ds):", "(ds):\n    yield 1\n    return 2\n")
    (problem,) = problems(write(tmp_path, wrapper + generates))
    assert "is a generator; a task returns one value" in problem


@pytest.mark.parametrize(("name", "place"), [("conf", "dag_run.conf"), ("dag", "dag_id")])
def test_what_airflow_has_elsewhere_is_told(tmp_path: Path, name: str, place: str) -> None:
    (problem,) = problems(write(tmp_path, DAG.replace("extract():", f"extract({name}):", 1)))
    assert problem.endswith(f"Airflow's '{name}' is {place} here")


def test_what_is_no_context_has_to_be_given(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, DAG.replace("extract():", "extract(ti, rows):", 1)))
    expected = "the call does not fit extract(ti, rows): missing a required argument: 'rows'"
    assert problem == f"dag.py:10: task 'extract': {expected}"
