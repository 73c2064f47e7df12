"""A server that stops, dies or loses its database, and what the next one makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from house import SETTINGS, House, OpenHouse, make_dag, make_task, states
from leoflow_agent.spec import BuiltDag, ImageRef
from leoflow_controlplane import controlplane
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.database import Database
from leoflow_controlplane.database.sqlite import SqlitePlace
from leoflow_controlplane.error import ControlPlaneError, DatabaseUnusable, NotLeading
from leoflow_controlplane.executor.fake import FakeAgent, FakeExecutor, FakeMachine, Script, succeed
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.steps import ending
from leoflow_controlplane.store.keeper import Keeper
from leoflow_controlplane.verdict import Exit
from sqlalchemy.exc import OperationalError

KEY = RunKey("d", "r")


@asynccontextmanager
async def server(
    home: Path, machine: FakeMachine, script: Script = succeed
) -> AsyncIterator[House]:
    """A server on a machine that outlives it."""
    executors: list[FakeExecutor] = []

    async def make(site: Site) -> FakeExecutor:
        executors.append(FakeExecutor(site.desk, script, machine))
        return executors[0]

    async with ControlPlane(home, make, SETTINGS, role=Role(is_server=True)) as plane:
        yield House(plane, executors[0])


async def begin(house: House) -> None:
    dag = make_dag(make_task("a"), make_task("b", "a"))
    await house.plane.commands.register_dag(BuiltDag(dag, ImageRef("i", None, "linux/amd64")))
    await house.plane.commands.trigger("d", Trigger(run_id="r"))


async def test_what_a_server_leaves_running_the_next_one_adopts(tmp_path: Path) -> None:
    may_end, running = asyncio.Event(), asyncio.Event()

    async def wait(agent: FakeAgent) -> Exit:
        await agent.start()
        running.set()
        await may_end.wait()
        return Exit(await agent.finish(value=1))

    machine = FakeMachine()
    async with server(tmp_path, machine, wait) as house:
        await begin(house)
        await running.wait()
    async with server(tmp_path, machine, wait) as house:
        may_end.set()
        result = await house.plane.wait(KEY)
        assert [launch.key.task_id for launch in house.executor.started] == ["b"]
    assert states(result) == {"a": "success", "b": "success"}
    assert [task.try_number for task in result.tasks] == [1, 1]


async def test_what_is_gone_meanwhile_has_failed_and_is_tried_again(tmp_path: Path) -> None:
    running = asyncio.Event()

    async def hang_once(agent: FakeAgent) -> Exit:
        await agent.start()
        if agent.launch.key.try_number > 1:
            return Exit(await agent.finish())
        running.set()
        await asyncio.Event().wait()
        return Exit(0)

    machine = FakeMachine()
    async with server(tmp_path, machine, hang_once) as house:
        dag = make_dag(make_task("a", retries=1))
        await house.plane.commands.register_dag(BuiltDag(dag, ImageRef("i", None, "linux/amd64")))
        await house.plane.commands.trigger("d", Trigger(run_id="r"))
        await running.wait()
    for play in machine.plays.values():
        assert play.task is not None
        play.task.cancel()
    async with server(tmp_path, FakeMachine(), hang_once) as house:
        result = await house.plane.wait(KEY)
    assert (result.state, result.tasks[0].try_number) == ("success", 2)


async def test_a_database_that_fails_and_comes_back_loses_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agents are told to come again, and what was decided in vain is decided once more."""
    failures = iter(range(6))
    refused: list[str] = []
    write = Keeper.write_draft

    def fail(self: Keeper, connection: object, draft: object) -> None:
        if next(failures, None) is not None:
            raise OperationalError("INSERT", {}, OSError("disk full"))
        write(self, connection, draft)  # type: ignore[arg-type]

    async def insist(agent: FakeAgent) -> Exit:
        while True:
            try:
                if not agent.events:
                    started = agent.add("started", agent_up=1.0)
                    agent.add("xcom", key="return_value", value=agent.launch.key.task_id)
                    agent.add("finished", state="success", reason=None, exit_code=0)
                    monkeypatch.setattr(Keeper, "write_draft", fail)
                    await agent.send([started])
                await agent.send(agent.events)
                return Exit(0)
            except DatabaseUnusable as error:
                refused.append(str(error))
                await asyncio.sleep(0.01)

    async with server(tmp_path, FakeMachine(), insist) as house:
        await begin(house)
        result = await house.plane.wait(KEY)
        assert [launch.key.task_id for launch in house.executor.started] == ["a", "b"]
        assert house.plane._running.failure is None
    assert refused
    assert "disk full" in refused[0]
    assert [task.return_value for task in result.tasks] == ["a", "b"]


async def test_who_waits_for_a_run_is_told_of_an_end_whose_commit_nobody_confirmed(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is done again and changes nothing: what it had changed is in the tables."""
    close, confirm = ending.close_tries, SqlitePlace.confirm
    closing: list[bool] = []
    rings: list[asyncio.Event] = []

    def close_tries(*args: Any) -> Any:
        closing.append(True)
        return close(*args)

    def lose_answer(place: SqlitePlace) -> None:
        confirm(place)
        if closing == [True]:
            closing.append(False)
            raise OperationalError("COMMIT", {}, OSError("no answer"))

    async def finish(agent: FakeAgent) -> Exit:
        await agent.start()
        code = await agent.finish()
        # All that came before was told by the time that it was acknowledged.
        rings.append(house.plane._running.bell.next_ring(agent.launch.key.run))
        return Exit(code)

    monkeypatch.setattr(ending, "close_tries", close_tries)
    monkeypatch.setattr(SqlitePlace, "confirm", lose_answer)
    async with asyncio.timeout(20), open_house(finish) as house:
        await house.run(make_task("a"))
        await rings[0].wait()
    assert closing[:2] == [True, False]


async def test_a_run_of_its_own_does_not_wait_for_ever_for_its_database(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Keeper, _connection: object, _draft: object) -> None:
        raise OperationalError("INSERT", {}, OSError("disk full"))

    async def report_in_vain(agent: FakeAgent) -> Exit:
        monkeypatch.setattr(Keeper, "write_draft", fail)
        monkeypatch.setattr(Database, "usable", lambda _: asyncio.Event().wait())
        await agent.send([agent.add("started", agent_up=1.0)])
        return Exit(0)

    monkeypatch.setattr(controlplane, "RUN_PATIENCE_SECONDS", 0.05)
    async with open_house(report_in_vain) as house:
        with pytest.raises(ControlPlaneError, match=r"could not be written for 0\.05 s"):
            await house.run(make_task("a"))
        monkeypatch.undo()


async def test_nobody_is_heard_before_what_runs_is_taken_up(tmp_path: Path) -> None:
    answers: list[str] = []

    class Early(FakeExecutor):
        async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
            with pytest.raises(NotLeading) as refused:
                await self._desk.give_inputs("token")
            answers.append(str(refused.value))
            return await super().adopt(wanted, runs)

    async def make(site: Site) -> Early:
        return Early(site.desk)

    async with ControlPlane(tmp_path, make, SETTINGS, role=Role(is_server=True)):
        assert answers == ["the control plane is taking up what is under way. Ask again."]
