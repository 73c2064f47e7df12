"""Tokens of tries: who may report for which try, and for how long."""

from __future__ import annotations

import stat
from pathlib import Path

import jwt
import pytest
from leoflow_controlplane.error import Unauthorized
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.trytoken import (
    AUDIENCE,
    MOST_REMEMBERED,
    TryTokens,
    derive_keys,
    load_key,
)
from leoflow_controlplane.vault import make_key

KEY = TryKey("d", "manual__2026-01-01T00:00:00+00:00", "é.t", 3, 2)
SECRET = b"k" * 32


def make_token(**claims: object) -> str:
    good = {"sub": '["d", "r", "t", -1, 1]', "aud": AUDIENCE, "exp": 1100}
    named = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(named, SECRET, "HS256")


def test_another_process_with_the_same_key_knows_the_try() -> None:
    token = TryTokens(SECRET, 100.0).issue(KEY, 1000.0)
    assert TryTokens(SECRET, 100.0).check(token, 1000.0) == KEY


def test_what_is_issued_is_what_the_library_encodes() -> None:
    token = TryTokens(SECRET, 100.0).issue(KEY, 1000.0)
    options = {"verify_exp": False}
    claims = jwt.decode(token, SECRET, ["HS256"], audience=AUDIENCE, options=options)
    assert claims == jwt.decode(
        jwt.encode(claims, SECRET, "HS256"), options={"verify_signature": False}
    )


def test_a_token_has_its_time() -> None:
    tokens = TryTokens(SECRET, 100.0)
    token = tokens.issue(KEY, 1000.0)
    assert tokens.check(token, 1099.0) == KEY
    with pytest.raises(Unauthorized, match="expired"):
        tokens.check(token, 1100.0)


def test_it_is_renewed_when_half_its_time_is_over() -> None:
    tokens = TryTokens(SECRET, 100.0)
    token = tokens.issue(KEY, 1000.0)
    assert tokens.renew(token, 1049.0) is None
    fresh = tokens.renew(token, 1050.0)
    assert fresh is not None
    assert tokens.check(fresh, 1149.0) == KEY


@pytest.mark.parametrize(
    "token",
    [
        "",
        "guess",
        TryTokens(b"x" * 32, 100.0).issue(KEY, 1000.0),
        make_token(aud="somebody-else"),
        make_token(aud=None),
        make_token(exp=None),
        make_token(sub=None),
        make_token(sub="d"),
        make_token(sub='["d"]'),
        jwt.encode({"sub": "[]", "aud": AUDIENCE, "exp": 9e9}, None, "none"),
    ],
)
def test_nobody_else_can_make_one(token: str) -> None:
    with pytest.raises(Unauthorized, match="unknown token"):
        TryTokens(SECRET, 100.0).check(token, 1000.0)


def test_what_is_remembered_is_bounded() -> None:
    tokens = TryTokens(SECRET, 100.0)
    first = tokens.issue(KEY, 1000.0)
    for number in range(MOST_REMEMBERED):
        tokens.issue(KEY._replace(try_number=number), 1000.0)
    assert len(tokens._checked) == MOST_REMEMBERED
    assert tokens.check(first, 1000.0) == KEY


def test_the_key_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    assert load_key(tmp_path) == key
    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_token_of_an_older_key_is_good_and_none_is_signed_with_it() -> None:
    old, new = TryTokens(b"o" * 32, 100.0), TryTokens(b"n" * 32, 100.0, older=[b"o" * 32])
    assert new.check(old.issue(KEY, 0.0), 50.0) == KEY
    with pytest.raises(Unauthorized):
        old.check(new.issue(KEY, 0.0), 50.0)


def test_replicas_that_have_a_secret_key_in_common_have_keys_of_tokens_in_common() -> None:
    first, second = make_key(), make_key()
    keys = derive_keys({"LEOFLOW_SECRET_KEY": f"{first},{second}"})
    assert keys == derive_keys({"LEOFLOW_SECRET_KEY": first}) + derive_keys(
        {"LEOFLOW_SECRET_KEY": second}
    )
    assert len(set(keys)) == 2
    assert derive_keys({}) == []
