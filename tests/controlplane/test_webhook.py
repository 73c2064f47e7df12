"""What a webhook is sent as, and when again."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.error import Refused, SettingInvalid
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.store.webhook import Message
from leoflow_controlplane.webhook import (
    LONGEST_PAUSE_SECONDS,
    MAX_ATTEMPTS,
    Target,
    find_target,
    make_headers,
    make_id,
    pause_before_next,
    read_secret,
)

MESSAGE = Message(7, RunKey("d", "r"), "https://h/x", None, '{"a": 1}', 0)
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


@pytest.mark.parametrize(
    ("uri", "url", "place", "login"),
    [
        ("https://h/a?t=geheim#f", "https://h/a?t=geheim", "https://h", None),
        ("http://h:81", "http://h:81/", "http://h:81", None),
        ("https://me:p%40w@h/a", "https://h/a", "https://h", b"me:p@w"),
        ("http://https://h/a", "https://h/a", "https://h", None),
        ("http://https://h%2Fa%2Fb", "https://h/a/b", "https://h", None),
        ("http://http://me:p@h%3A1%2Fa/b?c=d", "http://h:1/a/b?c=d", "http://h:1", b"me:p"),
        (
            '{"conn_type": "https", "host": "h", "schema": "a/b", "password": "x"}',
            "https://h/a/b",
            "https://h",
            b":x",
        ),
    ],
)
def test_a_connection_is_a_place(uri: str, url: str, place: str, login: bytes | None) -> None:
    message = MESSAGE._replace(url=None, connection="hook")
    expected = login and "Basic " + base64.b64encode(login).decode()
    found = find_target(message, FakeSecrets(connections={"hook": uri}))
    assert found == Target(url, place, expected)


@pytest.mark.parametrize("uri", ["postgres://h/x", "geheim", "https://", "https:///x"])
def test_a_connection_that_is_no_url_is_refused_and_not_shown(uri: str) -> None:
    message = MESSAGE._replace(url=None, connection="hook")
    with pytest.raises(Refused, match="http") as refused:
        find_target(message, FakeSecrets(connections={"hook": uri}))
    assert "geheim" not in str(refused.value)


def test_a_connection_that_is_not_there_is_named() -> None:
    message = MESSAGE._replace(url=None, connection="hook")
    with pytest.raises(Refused, match="AIRFLOW_CONN_HOOK is not set"):
        find_target(message, FakeSecrets())


def test_a_receiver_can_check_who_sent_it() -> None:
    secret = read_secret(SECRET)
    headers = make_headers(MESSAGE, find_target(MESSAGE, FakeSecrets()), 12.7, secret)
    signed = f"{headers['webhook-id']}.12.{MESSAGE.body}".encode()
    expected = base64.b64encode(hmac.digest(b"s" * 32, signed, hashlib.sha256)).decode()
    assert headers["webhook-timestamp"] == "12"
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_without_a_secret_nothing_is_signed() -> None:
    target = find_target(MESSAGE, FakeSecrets())
    assert "webhook-signature" not in make_headers(MESSAGE, target, 1.0, read_secret(""))


@pytest.mark.parametrize("text", ["geheim", "whsec_geheim", "whsec_Z2VoZWlt", SECRET[6:]])
def test_a_secret_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingInvalid, match="LEOFLOW_WEBHOOK_SECRET is no secret") as refused:
        read_secret(text)
    assert text not in str(refused.value)


def test_a_message_keeps_its_name_and_shares_it_with_no_other() -> None:
    assert make_id(MESSAGE) == make_id(MESSAGE._replace(attempts=3))
    others = [MESSAGE._replace(id=8), MESSAGE._replace(body="{}")]
    assert len({make_id(MESSAGE), *map(make_id, others)}) == 3


@given(st.integers(1, MAX_ATTEMPTS - 1), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_pauses_grow_and_end(attempts: int, roll: float, asked: float | None) -> None:
    pause = pause_before_next(attempts, asked, roll)
    assert pause is not None
    least = min(5.0 * 2 ** (attempts - 1) * 0.75, LONGEST_PAUSE_SECONDS)
    assert max(least, min(asked or 0, LONGEST_PAUSE_SECONDS)) <= pause <= LONGEST_PAUSE_SECONDS
    assert pause_before_next(MAX_ATTEMPTS, asked, roll) is None
