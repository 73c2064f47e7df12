"""Who is given which variables and connections, and what is said of those that are missing."""

from __future__ import annotations

import pytest
from house import make_task
from leoflow_controlplane.secretsource import (
    EnvironmentSecrets,
    FakeSecrets,
    SecretSource,
    declares_secrets,
    find_missing,
    find_secrets,
)

SOURCES: list[SecretSource] = [
    EnvironmentSecrets(
        {"AIRFLOW_VAR_REGION": "vienna", "AIRFLOW_VAR_OTHER": "x", "AIRFLOW_CONN_DB": "pg://h"}
    ),
    FakeSecrets({"region": "vienna", "other": "x"}, {"db": "pg://h"}),
]


@pytest.mark.parametrize("source", SOURCES)
def test_a_task_is_given_what_it_declares_and_nothing_else(source: SecretSource) -> None:
    task = make_task("a", variables=("region",), connections=("db",))
    assert find_secrets(task, source) == {
        "AIRFLOW_VAR_REGION": "vienna",
        "AIRFLOW_CONN_DB": "pg://h",
    }
    assert find_missing(task, source) == []
    assert find_secrets(make_task("b"), source) == {}


@pytest.mark.parametrize("source", SOURCES)
def test_each_that_is_missing_is_named_with_its_place_and_what_to_set(source: SecretSource) -> None:
    texts = find_missing(make_task("a", variables=("size",), connections=("web",)), source)
    assert texts == [
        "dag.py:1: task 'a' declares the variable 'size', but AIRFLOW_VAR_SIZE is not set where "
        "leoflow runs. Set it, for example AIRFLOW_VAR_SIZE='value'.",
        "dag.py:1: task 'a' declares the connection 'web', but AIRFLOW_CONN_WEB is not set where "
        "leoflow runs. Set it, for example "
        "AIRFLOW_CONN_WEB='postgres://user:password@host:5432/database'.",
    ]


def test_an_empty_value_is_a_value() -> None:
    source = EnvironmentSecrets({"AIRFLOW_VAR_REGION": ""})
    assert find_missing(make_task("a", variables=("region",)), source) == []


def test_what_declares_nothing_is_asked_for_nothing() -> None:
    assert not declares_secrets(make_task("a"))
    assert declares_secrets(make_task("a", connections=("db",)))
