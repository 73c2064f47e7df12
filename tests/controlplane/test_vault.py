"""Secrets at rest: who can open what, and where keys come from."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.vault import KEY_FILE, SecretUnreadable, Vault, make_key, open_vault

ONE, TWO = b"1" * 32, b"2" * 32


@given(st.text(), st.text(min_size=1))
def test_what_was_sealed_can_be_opened(text: str, name: str) -> None:
    vault = Vault([ONE])
    assert vault.open("variable", name, vault.seal("variable", name, text)) == text


def test_a_value_shows_nothing_and_is_never_sealed_alike() -> None:
    first, second = (Vault([ONE]).seal("variable", "a", "geheim") for _ in range(2))
    assert first != second
    assert b"geheim" not in first


@pytest.mark.parametrize(("kind", "name"), [("variable", "b"), ("connection", "a")])
def test_a_value_in_the_place_of_another_cannot_be_opened(kind: str, name: str) -> None:
    sealed = Vault([ONE]).seal("variable", "a", "x")
    with pytest.raises(SecretUnreadable, match="is not what was encrypted under this name"):
        Vault([ONE]).open(kind, name, sealed)  # type: ignore[arg-type]


def test_names_are_the_same_in_any_case() -> None:
    assert Vault([ONE]).open("variable", "DB", Vault([ONE]).seal("variable", "db", "x")) == "x"


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_value_that_was_changed_cannot_be_opened(place: int, change: int) -> None:
    sealed = bytearray(Vault([ONE]).seal("variable", "a", "some text"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(SecretUnreadable):
        Vault([ONE]).open("variable", "a", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"plain", b"\x01" + b"0" * 16])
def test_what_was_never_sealed_cannot_be_opened(sealed: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        Vault([ONE]).open("variable", "a", sealed)


# The same in each process that collects the tests.
KEY = base64.urlsafe_b64encode(bytes(32)).decode()


def test_the_first_key_seals_and_all_open() -> None:
    old = Vault([ONE]).seal("variable", "a", "x")
    both = Vault([TWO, ONE])
    assert both.open("variable", "a", old) == "x"
    assert not both.is_current(old)
    assert both.is_current(both.seal("variable", "a", "x"))
    with pytest.raises(SecretUnreadable, match="all processes of one database need the same"):
        Vault([TWO]).open("variable", "a", old)


def test_a_key_file_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path, {}).seal("variable", "a", "x")
    path = tmp_path / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault(tmp_path, {}).open("variable", "a", sealed) == "x"
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o640)
    with pytest.raises(SettingInvalid, match="chmod 600"):
        open_vault(tmp_path, {})


def test_keys_of_the_environment_need_no_file(tmp_path: Path) -> None:
    new, old = make_key(), make_key()
    sealed = open_vault(tmp_path, {"LEOFLOW_SECRET_KEY": old}).seal("variable", "a", "x")
    vault = open_vault(tmp_path, {"LEOFLOW_SECRET_KEY": f"{new}, {old}"})
    assert vault.open("variable", "a", sealed) == "x"
    assert not (tmp_path / KEY_FILE).exists()


@pytest.mark.parametrize("text", ["geheim", "Z2VoZWlt", f"Z2VoZWlt,{KEY}", "ä", ","])
def test_a_key_that_is_none_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="LEOFLOW_SECRET_KEY has to hold") as refused:
        open_vault(tmp_path, {"LEOFLOW_SECRET_KEY": text})
    assert "geheim" not in str(refused.value)
    assert "Z2Vo" not in str(refused.value)
