"""Delivering webhooks: to a server, to one that fails, through a restart and a broken database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from baredatabase import NoMemory, write_run
from leoflow_controlplane import webhook, webhooksender
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.observer import Observer, WebhookOutcome
from leoflow_controlplane.outbound.client import make_transport
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.schema import webhooks
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.store.webhook import load_due_webhooks
from leoflow_controlplane.webhooksender import AT_ONCE, WebhookSender
from receiver import BAD, Receiver
from sqlalchemy import Connection, func, insert, select


class Desk(Observer):
    """A database with one run, whose webhooks are written here, and a sender."""

    def __init__(self, database: Database, transport: Any, secrets: FakeSecrets) -> None:
        self.database = database
        self.outcomes: list[WebhookOutcome] = []
        self.ended = asyncio.Event()
        self.secrets = secrets
        self.sender = WebhookSender(database, secrets, transport, time.time, observer=self)

    def webhook(self, outcome: WebhookOutcome) -> None:
        self.outcomes.append(outcome)
        if outcome != "failed":
            self.ended.set()

    async def write(self, **row: Any) -> None:
        rows = {"run_pk": 1, "body": "{}", "attempts": 0, "due_at": 0.0, **row}
        await self.database.run(lambda connection: _insert(connection, webhooks, rows))
        self.sender.wake()

    async def left(self) -> int:
        return await self.database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(webhooks)) or 0
        )

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.sender.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self.ended.clear()
            await self.ended.wait()
        while self.sender._sending:
            await asyncio.wait(self.sender._sending.values())


@asynccontextmanager
async def desk(url: Any, *, allowed: tuple[str, ...] = LOOPBACK) -> AsyncIterator[Desk]:
    database = Database(url, NoMemory())
    transport = make_transport(allowed, AT_ONCE, AT_ONCE)
    await database.open()
    try:
        await database.run(write_run)
        yield Desk(database, transport, FakeSecrets())
    finally:
        await transport.aclose()
        await database.close()


def _insert(connection: Connection, table: Any, row: Any) -> None:
    connection.execute(insert(table).values(row))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "FIRST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(webhook, "LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(webhooksender, "DATABASE_PAUSE_SECONDS", 0.002)


async def test_a_message_is_delivered_once_and_forgotten(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listen() as url, desk(tmp_path / "db") as there, there.sending():
        await there.write(url=url, body='{"state": "failed"}')
        await there.until(lambda: bool(there.outcomes))
        assert await there.left() == 0
    ((head, body),) = receiver.got
    assert body == '{"state": "failed"}'
    assert head.startswith("post /hook http/1.1")
    assert "content-type: application/json" in head
    assert there.outcomes == ["delivered"]


async def test_a_message_is_sent_until_it_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    receiver = Receiver(BAD, moved, b"nonsense\r\n\r\n")
    async with receiver.listen() as url, desk(tmp_path / "db") as there, there.sending():
        await there.write(url=url + "/geheim")
        await there.until(lambda: "delivered" in there.outcomes)
        assert await there.left() == 0
    assert there.outcomes == ["failed"] * 3 + ["delivered"]
    assert len(receiver.ids()) == 4
    assert len(set(receiver.ids())) == 1
    assert "answered with 500" in caplog.text
    assert "redirect (302), which is not followed" in caplog.text
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("answers", [[BAD] * 12, [b"HTTP/1.1 410 Gone\r\n\r\n"]])
async def test_a_message_is_given_up_in_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answers: list[bytes]
) -> None:
    receiver = Receiver(*answers)
    async with receiver.listen() as url, desk(tmp_path / "db") as there, there.sending():
        await there.write(url=url)
        await there.until(lambda: "given_up" in there.outcomes)
        assert await there.left() == 0
    assert len(receiver.got) == len(answers)
    assert "the webhook of d r is given up" in caplog.text


@pytest.mark.parametrize("place", ["http://[geheim/", "http://h:geheim/", None])
async def test_a_place_that_cannot_be_read_is_tried_no_more_often_than_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str | None
) -> None:
    """One that was not counted was due again at once, for ever."""
    async with desk(tmp_path / "db") as there, there.sending():
        if place is None:
            there.secrets.connections["hook"] = '{"conn_type": "geheim", "host": 1}'
        await there.write(url=place, connection=None if place else "hook")
        await there.until(lambda: "given_up" in there.outcomes)
        assert await there.left() == 0
    assert there.outcomes == ["failed"] * 11 + ["given_up"]
    assert "where it goes cannot be read" in caplog.text
    assert "geheim" not in caplog.text


async def test_what_was_not_delivered_is_by_the_next_process(tmp_path: Path) -> None:
    receiver = Receiver(gate=2)
    async with receiver.listen() as url:
        async with desk(tmp_path / "db") as there, there.sending():
            await there.write(url=url)
            await receiver.arrived.wait()
        async with desk(tmp_path / "db") as there, there.sending():
            await there.until(lambda: bool(there.outcomes))
            assert await there.left() == 0
    assert len(receiver.got) == 2
    assert len(set(receiver.ids())) == 1


async def test_one_that_cannot_be_reached_does_not_hold_up_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = Receiver()
    async with receiver.listen() as url, desk(tmp_path / "db") as there, there.sending():
        await there.write(url="http://169.254.169.254/latest")
        await there.write(connection="gone")
        await there.write(url=url)
        await there.until(lambda: "delivered" in there.outcomes)
    assert "'169.254.169.254' is a cloud's metadata service" in caplog.text
    assert "its connection 'gone' is not there" in caplog.text


async def test_many_are_sent_at_once_and_not_too_many(tmp_path: Path) -> None:
    receiver = Receiver(gate=AT_ONCE)
    count = AT_ONCE * 3
    async with receiver.listen() as url, desk(tmp_path / "db") as there, there.sending():
        rows = [
            {"run_pk": 1, "url": url, "body": str(number), "attempts": 0, "due_at": 0.0}
            for number in range(count)
        ]
        await there.database.run(
            lambda connection: connection.execute(insert(webhooks), rows) and None
        )
        there.sender.wake()
        await there.until(lambda: len(there.outcomes) == count)
        assert await there.left() == 0
    assert sorted(int(body) for _, body in receiver.got) == list(range(count))
    assert receiver.most == AT_ONCE


async def test_a_database_that_is_away_makes_nothing_be_sent_again(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listen() as url, desk(tmp_path / "db") as there:
        flaky = Flaky(there.database)
        there.sender._store = flaky  # type: ignore[assignment]
        async with there.sending():
            await there.write(url=url)
            await there.until(lambda: bool(there.outcomes))
            assert await there.left() == 0
    assert (len(receiver.got), flaky.failures) == (1, 0)


class Flaky:
    """A database that fails a few times, and then works."""

    def __init__(self, database: Database) -> None:
        self.failures = 6
        self._database = database

    async def run(self, *step: Any) -> Any:
        self._fail(3)
        return await self._database.run(*step)

    async def read(self, *query: Any) -> Any:
        self._fail(0 if self.failures <= 3 else 3)
        return await self._database.read(*query)

    def _fail(self, times: int) -> None:
        if times and self.failures:
            self.failures -= 1
            raise DatabaseUnusable("away")


async def test_rows_that_are_due_come_oldest_first(database_url: str) -> None:
    async with desk(database_url) as there:
        for number, due_at in enumerate((3.0, 1.0, 9.0, 2.0)):
            await there.write(url="http://h", body=str(number), due_at=due_at)
        read = there.database.read
        due = await read(load_due_webhooks, 5.0, 10, ())
        assert [message.body for message in due.messages] == ["1", "3", "0"]
        assert (due.messages[0].run, due.next_at) == (("d", "r"), 9.0)
        some = await read(load_due_webhooks, 5.0, 1, (due.messages[0].id,))
        assert ([message.body for message in some.messages], some.next_at) == (["3"], 3.0)
        assert await read(load_due_webhooks, 0.5, 10, ()) == ([], 1.0)
