"""Secrets of declared connections and variables, in whatever way they are written."""

from __future__ import annotations

import json

import pytest
from leoflow_agent.mask import Mask


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("AIRFLOW_CONN_DB", "postgres://me:hunter2@db:5432/x", ["hunter2"]),
        ("AIRFLOW_CONN_DB", "postgres://me:p%40ss%2Fword@db/x", ["p%40ss%2Fword", "p@ss/word"]),
        ("AIRFLOW_CONN_DB", "postgres://me:with@sign5@db/x", ["with@sign5"]),
        ("AIRFLOW_CONN_WEB", "https://me:hunter2@host/@scope/x@1", ["hunter2"]),
        ("AIRFLOW_CONN_DB", "postgres://me:with/slash@db/x", ["with/slash"]),
        ("AIRFLOW_CONN_API", "http://host/?api_key=abcdef&page=longer", ["abcdef"]),
        (
            "AIRFLOW_CONN_API",
            "aws://?__extra__=%7B%22aws_secret_key%22%3A%22s3cr3t%22%7D",
            ["s3cr3t"],
        ),
        (
            "AIRFLOW_CONN_API",
            json.dumps({"conn_type": "x", "login": "visible", "password": "hunter2"}),
            ["hunter2"],
        ),
        (
            "AIRFLOW_CONN_API",
            json.dumps({"extra": {"region": "visible", "token": {"a": ["tok-1"]}}}),
            ["tok-1"],
        ),
        ("AIRFLOW_CONN_API", json.dumps({"extra": '{"private_key": "a\\nkey-two"}'}), ["key-two"]),
        ("AIRFLOW_VAR_API_TOKEN", "tok-1", ["tok-1"]),
    ],
)
def test_what_is_secret_is_masked(name, value, secrets):
    mask = Mask({name: value})
    for secret in secrets:
        assert mask.text(f"a {secret} b") == "a *** b"
        assert mask.data(f"a {secret} b".encode()) == b"a *** b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRFLOW_VAR_REGION", "vienna"),
        ("AIRFLOW_CONN_WEB", "http://host.example:80/path?page=second"),
        ("AIRFLOW_CONN_DB", "postgres://me:abcd@db/x"),
        ("AIRFLOW_CONN_DB", "{not json, and no secret"),
        ("PASSWORD", "of-a-bash-task"),
    ],
)
def test_what_is_not_secret_or_too_short_is_left(name, value):
    mask = Mask({name: value})
    text = "vienna host.example second path me abcd {not json, and no secret of-a-bash-task"
    assert mask.text(text) == text
    assert not mask


def test_a_secret_that_is_part_of_another_hides_neither():
    mask = Mask({"AIRFLOW_VAR_TOKEN": "abcde", "AIRFLOW_VAR_SECRET": "abcdefgh"})
    assert mask.text("abcdefgh abcde") == "*** ***"
