"""Calls, and what becomes of them when the process that makes them does not do as it should."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from callee import Callee
from callmaking import key, making, once
from house import make_call
from leoflow_controlplane.inline import calls, process
from leoflow_controlplane.inline.calls import PATIENCE, Outcome, Patience
from leoflow_controlplane.inline.process import Process

SECRET = "geheim-und-lang"


async def test_many_calls_at_once_lose_nothing() -> None:
    async with Callee(lambda head: head.split(b" ")[1][1:]) as callee, making() as made:
        for number in range(300):
            made.send(number, make_call(f"{callee.url}/{number}", timeout_seconds=300.0))
        outcomes = await made.outcomes(300)
    assert {outcome.reason for outcome in outcomes.values()} == {None}
    assert {n: outcome.value for n, outcome in outcomes.items()} == {n: str(n) for n in range(300)}


async def test_long_results_that_come_together_are_all_taken_in() -> None:
    body = b'"%s"' % (b"x" * 200_000)
    async with Callee(lambda head: body) as callee, making() as made:
        for number in range(30):
            made.send(number, make_call(callee.url))
        outcomes = await made.outcomes(30)
    assert {outcome.value for outcome in outcomes.values()} == {body.decode()}
    assert made.lost == []


async def test_a_call_whose_process_is_killed_is_made_again() -> None:
    async with Callee(once(None, b"1")) as callee, making() as made:
        made.send(1, make_call(callee.url))
        await callee.asked.wait()
        assert made.calls.pid is not None
        os.kill(made.calls.pid, signal.SIGKILL)
        outcome = await made.outcome()
    assert (outcome.value, len(callee.heads)) == ("1", 2)
    assert "it was ended by SIGKILL: the call is made again" in made.lines[0]


async def test_one_that_may_have_been_carried_out_is_not() -> None:
    async with Callee(once(None, b"2")) as callee, making() as made:
        made.send(1, make_call(callee.url, method="POST"))
        await callee.asked.wait()
        assert made.calls.pid is not None
        os.kill(made.calls.pid, signal.SIGKILL)
        outcome = await made.outcome()
        made.send(2, make_call(callee.url, method="POST"))
        assert (await made.outcome()).value == "2"
    assert outcome.state == "failed"
    assert "the process that sends inline calls ended during this POST" in str(outcome.reason)
    assert len(callee.heads) == 2


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("sys.exit(3)", "it ended with exit code 3"),
        ("pipe.send(b'HTTP/1.1 400 Bad Request')", "it said 1213486160 bytes at once"),
        ("pipe.send(b'\\0\\0\\0\\x02{]')", "it said what is no JSON"),
        ("pipe.send(b'\\0\\0\\0\\x07[[\"a\"]]')", "it said what makes no sense"),
        ("pipe.send(b'\\0\\0\\0\\x0c[[\"over\",1]]')", "it said what makes no sense"),
        ("time.sleep(60)", "it said nothing for 0.3 s"),
    ],
)
async def test_a_process_that_makes_no_sense_is_replaced_until_its_calls_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, text: str
) -> None:
    lines = ["import socket, sys, time", "pipe = socket.socket(fileno=int(sys.argv[1]))", script]
    (tmp_path / "oddchild.py").write_text("\n".join([*lines, "pipe.recv(10_000)", "pipe.recv(1)"]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(process, "END_SECONDS", 0.1 if "sleep" in script else 5.0)
    started: list[int] = []

    async def start(limit: int) -> Process:
        started.append(limit)
        return await Process.start(limit, "oddchild")

    # What never said that it is ready has begun nothing, so that even a POST is made again.
    quick = Patience(60.0, 0.3 if "sleep" in script else 60.0, (0.0,))
    async with making(quick, start=start) as made:
        made.send(1, make_call("http://h/", method="POST"))
        outcome = await made.outcome()
    assert (outcome.state, outcome.began, len(started)) == ("failed", False, 3)
    assert f"was lost 3 times during this call, at last because {text}" in str(outcome.reason)


async def test_an_answer_without_an_end_is_given_up_where_it_is_too_long() -> None:
    async with Callee(lambda head: b" " * 20_000_000) as callee, making() as made:
        made.send(1, make_call(callee.url))
        outcome = await made.outcome()
    assert outcome.state == "failed"
    assert "20000000 bytes, more than the limit of" in str(outcome.reason)


async def test_a_call_that_is_cancelled_is_given_up_where_it_is_made() -> None:
    async with Callee(lambda head: None) as callee, making() as made:
        made.send(1, make_call(callee.url))
        await callee.asked.wait()
        assert made.calls.cancel(key(1))
        outcome = await made.outcome()
        await callee.left.wait()
        assert not made.calls.cancel(key(1))
    assert outcome == Outcome("cancelled")


async def test_a_process_that_has_nothing_to_do_ends_and_the_next_call_has_another_one() -> None:
    async with (
        Callee(lambda head: b"1") as callee,
        making(PATIENCE._replace(idle_seconds=0.0)) as made,
    ):
        made.send(1, make_call(callee.url))
        assert (await made.outcome()).value == "1"
        while made.calls.pid is not None:
            await asyncio.sleep(0.01)
        made.send(2, make_call(callee.url))
        assert (await made.outcome()).value == "1"


class Talkative:
    """A process that always has one more line to say."""

    pid = 1

    def __init__(self) -> None:
        self.said = 0

    def send(self, message: Any) -> None:
        """Heed nothing."""

    async def receive(self) -> list[Any]:
        await asyncio.sleep(0)
        self.said += 1
        return [["line", 1, "more"]]

    async def end(self) -> None:
        """Nothing runs."""


async def test_no_more_is_heard_than_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_LINES", 5)
    talkative = Talkative()

    async def start(limit: int) -> Any:
        return talkative

    async def pass_turns() -> None:
        for _ in range(200):
            await asyncio.sleep(0)

    async with making(start=start) as made:
        made.send(1, make_call())
        await pass_turns()
        assert talkative.said == 5
        assert len(made.calls.take(1)[0].lines) == 5
        await pass_turns()
        assert talkative.said == 10
