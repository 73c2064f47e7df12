"""Connections as fields and as a URI."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.connectionuri import make_uri, read_connection
from leoflow_controlplane.error import Refused

TABLE: list[tuple[str, dict[str, Any]]] = [
    (
        "postgres://me:se%40cret@Host:5432/shop",
        {
            "conn_type": "postgres",
            "login": "me",
            "password": "se@cret",
            "host": "Host",
            "port": 5432,
            "schema": "shop",
        },
    ),
    (
        "google-cloud-platform:///?project=x&num_retries=3",
        {
            "conn_type": "google_cloud_platform",
            "extra": '{"project": "x", "num_retries": "3"}',
        },
    ),
    (
        "http://https://api.example.org/v1",
        {"conn_type": "http", "host": "https://api.example.org", "schema": "v1"},
    ),
    (
        "https://hooks.example.org/services/T/B",
        {"conn_type": "https", "host": "hooks.example.org", "schema": "services/T/B"},
    ),
    ("redis://@:6379", {"conn_type": "redis", "port": 6379}),
    (
        "redis://:pass@[::1]:6379",
        {
            "conn_type": "redis",
            "password": "pass",
            "host": "[::1]",
            "port": 6379,
        },
    ),
    (
        "aws:///?__extra__=%7B%22a%22%3A+%5B1%5D%7D",
        {"conn_type": "aws", "extra": '{"a": [1]}'},
    ),
]


@pytest.mark.parametrize(("uri", "fields"), TABLE)
def test_a_uri_is_read_as_airflow_reads_it(uri: str, fields: dict[str, Any]) -> None:
    assert read_connection(uri) == fields


@pytest.mark.parametrize(("uri", "fields"), TABLE)
def test_fields_are_written_as_airflow_writes_them(uri: str, fields: dict[str, Any]) -> None:
    assert make_uri(fields) == uri


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
hosts = st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True)


@given(
    st.fixed_dictionaries(
        {"conn_type": st.sampled_from(["http", "my_db", "postgres"])},
        optional={
            "host": hosts | hosts.map("https://{}".format),
            "login": texts,
            "password": texts,
            "schema": texts,
            "port": st.integers(0, 65535),
            "extra": st.dictionaries(texts, texts | st.lists(st.integers()), min_size=1).map(
                json.dumps
            ),
        },
    )
)
def test_what_is_written_can_be_read(fields: dict[str, Any]) -> None:
    read = read_connection(make_uri(fields))
    assert json.loads(read.pop("extra", "0")) == json.loads(fields.pop("extra", "0"))
    assert read == fields


def test_json_is_taken_as_it_is() -> None:
    text = '{"conn_type": "http", "host": "h", "extra": {"a": 1}, "port": null}'
    assert read_connection(text) == {"conn_type": "http", "host": "h", "extra": '{"a": 1}'}


@pytest.mark.parametrize(
    "text", ["", "geheim", "{", "{}", '{"conn_type": ""}', "://geheim", "pg://h:geheim/x", "[1]"]
)
def test_what_is_no_connection_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_connection(text)
    assert "geheim" not in str(refused.value)


def test_a_field_that_there_is_not_is_named() -> None:
    with pytest.raises(Refused, match="has no 'pasword'"):
        read_connection('{"conn_type": "http", "pasword": "x"}')
