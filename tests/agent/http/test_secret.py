"""Values out of the environment, and texts without secrets."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from leoflow_agent.exitcode import Verdict
from leoflow_agent.http.secret import Secrets, read

URI = "https://me%40x:p%2Fw@h:1/?__extra__=%7B%7D"
JSON = json.dumps({"conn_type": "http", "login": "me@x", "password": "p/w"})
BASIC = "Basic " + b64encode(b"me@x:p/w").decode()


def look_up(value: str, **fields: Any) -> str:
    source: Any = {"env": "NAME", "prefix": "", "part": None, **fields}
    return read(source, "headers.A", {"NAME": value}, Secrets())


@pytest.mark.parametrize("connection", [URI, JSON])
@pytest.mark.parametrize(
    ("part", "value"), [("login", "me@x"), ("password", "p/w"), ("basic", BASIC)]
)
def test_a_part_of_a_connection(connection: str, part: str, value: str) -> None:
    assert look_up(connection, part=part) == value


def test_a_prefix_stands_in_front() -> None:
    assert look_up("t", prefix="Bearer ") == "Bearer t"


@pytest.mark.parametrize("value", ["geheim", "{geheim", "http://[geheim"])
def test_what_is_no_connection_is_not_shown(value: str) -> None:
    with pytest.raises(Verdict, match="'NAME' is not a connection") as caught:
        look_up(value, part="login")
    assert "geheim" not in caught.value.reason


def test_a_json_connection_that_is_no_mapping_is_none() -> None:
    with pytest.raises(Verdict):
        look_up("{}x", part="login")


def test_secrets_are_hidden_in_each_form() -> None:
    secrets = Secrets()
    secrets.add("ge heim/1")
    secrets.add("heim")
    secrets.add("abc")
    text = "a ge heim/1 b ge%20heim%2F1 c ge+heim%2F1 d heim abc"
    assert secrets.hide(text) == "a *** b *** c *** d *** abc"
