"""Variables and connections in the database: changed by commands, given to tasks."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from baredatabase import NoMemory
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import Conflict, NotFound, Refused
from leoflow_controlplane.secretsource import EnvironmentSecrets, SecretChain
from leoflow_controlplane.store.sealed import load_sealed
from leoflow_controlplane.storedsecrets import StoredSecrets
from leoflow_controlplane.vault import SecretUnreadable, Vault

OLD, NEW = b"1" * 32, b"2" * 32
Open = Callable[..., AbstractAsyncContextManager[StoredSecrets]]


@pytest.fixture
def opened(database_url: str) -> Open:
    @asynccontextmanager
    async def opened(*keys: bytes) -> AsyncIterator[StoredSecrets]:
        database = Database(database_url, NoMemory())
        await database.open()
        try:
            stored = StoredSecrets(database, Vault(keys or [OLD]), lambda: 1.0)
            await stored.load()
            yield stored
        finally:
            await database.close()

    return opened


async def rows(stored: StoredSecrets) -> Any:
    return await stored._store.read(load_sealed)


async def test_what_is_stored_is_there_at_once_and_after_a_restart(opened: Open) -> None:
    async with opened() as stored:
        await stored.add("variable", "region", "vienna", None)
        await stored.add("connection", "Web", "https://me:pw@h/a/b", "the web")
        assert (stored.variable("REGION"), stored.connection("web")) == (
            "vienna",
            "https://me:pw@h/a/b",
        )
    async with opened() as stored:
        assert stored.variable("region") == "vienna"
        assert stored.connection("web") == "https://me:pw@h/a/b"
        web, region = sorted(await rows(stored))
    assert (web.name, web.description, region.name) == ("Web", "the web", "region")
    assert b"vienna" not in region.value
    assert json.loads(stored.open(web))["password"] == "pw"


async def test_change_and_remove(opened: Open) -> None:
    async with opened() as stored:
        await stored.add("variable", "a", "1", None)
        await stored.change("variable", "a", "2", "why")
        assert stored.variable("a") == "2"
        with pytest.raises(Conflict, match="there is a variable 'a' already"):
            await stored.add("variable", "A", "3", None)
        await stored.remove("variable", "a")
        assert stored.variable("a") is None
        for gone in (stored.remove("variable", "a"), stored.change("variable", "a", "2", None)):
            with pytest.raises(NotFound):
                await gone


@pytest.mark.parametrize("text", ["a\0b", "x" * 200_000])
async def test_what_no_environment_can_hold_is_refused(opened: Open, text: str) -> None:
    async with opened() as stored:
        with pytest.raises(Refused, match="'a'"):
            await stored.add("variable", "a", text, None)
        assert await rows(stored) == []


async def test_a_process_with_another_key_says_so_and_stores_nothing(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(OLD) as stored:
        await stored.add("variable", "token", "geheim", None)
    with caplog.at_level(logging.ERROR):
        async with opened(NEW) as stored:
            assert stored.variable("token") is None
            assert "with a key that is not among" in stored.why_missing("variable", "token")
            with pytest.raises(Conflict, match="'other' is not stored"):
                await stored.add("variable", "other", "x", None)
            await stored.remove("variable", "token")
            await stored.add("variable", "other", "x", None)
    assert "variable 'token' was encrypted with a key" in caplog.text


async def test_rotation_leaves_nothing_for_the_old_key(opened: Open) -> None:
    async with opened(OLD) as stored:
        await stored.add("variable", "a", "1", None)
        await stored.add("connection", "c", "pg://h", None)
    async with opened(NEW, OLD) as stored:
        await stored.add("variable", "b", "2", None)
        assert await stored.rotate() == 2
        assert await stored.rotate() == 0
    async with opened(NEW) as stored:
        values = (stored.variable("a"), stored.variable("b"), stored.connection("c"))
        assert values == ("1", "2", "pg://h")


async def test_rotation_changes_nothing_if_a_value_cannot_be_read(opened: Open) -> None:
    async with opened(OLD) as stored:
        await stored.add("variable", "a", "1", None)
    async with opened(NEW) as stored:
        with pytest.raises(SecretUnreadable):
            await stored.rotate()
    async with opened(OLD) as stored:
        assert stored.variable("a") == "1"


async def test_the_environment_comes_before_the_store(opened: Open) -> None:
    async with opened() as stored:
        await stored.add("variable", "a", "stored", None)
        await stored.add("variable", "b", "stored", None)
        chain = SecretChain(EnvironmentSecrets({"AIRFLOW_VAR_A": ""}), stored)
        assert (chain.variable("a"), chain.variable("b"), chain.connection("a")) == (
            "",
            "stored",
            None,
        )
        words = "no such connection is stored. Set it: leoflow connections set a"
        assert chain.why_missing("connection", "a") == words


async def test_nothing_is_shown_of_what_is_kept(opened: Open) -> None:
    async with opened() as stored:
        await stored.add("variable", "token", "geheim", None)
        assert "geheim" not in repr(stored) + repr(vars(stored)["_vault"])
