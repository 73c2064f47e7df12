"""What the Docker executor makes of missing images, an engine that goes away, and a server that
is killed; on a real engine, behind a socket that can be cut.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "controlplane"))
sys.path.insert(0, str(Path(__file__).parent))

from enginewire import Wire
from executor_contract import end_of, make_launch, start_and_await
from leoflow_controlplane.container import container_name
from leoflow_controlplane.error import ExecutorUnusable, LaunchFailed
from leoflow_controlplane.executor.docker.engine import open_engine
from leoflow_controlplane.executor.docker.executor import DockerExecutor, docker_executor
from leoflow_controlplane.executor.protocol import Limits, Site
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import SERVER
from registryserver import running_registry
from test_docker_executor import image, open_executor

__all__ = ["image"]
pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore:unclosed <socket")]


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """The engine's client leaves sockets that could not be connected to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def wire(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Wire]:
    wire = Wire(tmp_path_factory.mktemp("w") / "s")
    wire.mend()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{wire.path}")
    yield wire
    wire.cut()


@asynccontextmanager
async def opened(home: Path, owner: str | None = None, **limits: float) -> Any:
    instance = open_instance(home)
    executor, server = await open_executor(instance, owner, Limits(**limits))
    yield executor
    await executor.close()
    await server.close()
    instance.close()


def on_engine(call: str, *args: Any, **options: Any) -> Any:
    """Give the engine an order of somebody else's."""
    engine = open_engine()
    try:
        return getattr(engine._client, call)(*args, **options)
    finally:
        engine.close()


def name_of(executor: DockerExecutor, launch: Launch) -> str:
    return container_name(launch.key, executor._place.home_id)


def own_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("leoflow")]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.long
async def test_an_engine_that_is_away_for_a_while_loses_nothing(
    wire: Wire, tmp_path: Path, image: str
) -> None:
    async with opened(tmp_path) as executor:
        runs, ends, starts = make_launch("sleep"), make_launch("sleep", 2), make_launch("exit:3", 3)
        await start_and_await(executor, runs)
        await start_and_await(executor, ends)
        wire.cut()
        starting = asyncio.create_task(executor.start(starts))
        direct = f"unix://{wire.behind}"
        killer = f"import docker; docker.APIClient('{direct}').kill('{name_of(executor, ends)}')"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", killer)
        assert await process.wait() == 0
        assert not starting.done()
        wire.mend()
        await starting
        ended = {one.key: one.exit.code for one in [await end_of(executor), await end_of(executor)]}
        assert ended == {ends.key: 137, starts.key: 3}
        await executor.stop(runs.key, 10)
        assert (await end_of(executor)).exit.code == 143
        assert executor.figures.engine_errors > 0


async def test_an_engine_that_stays_away_has_lost_what_it_ran(
    wire: Wire, tmp_path: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leoflow_controlplane.executor.docker.watching.LIST_SECONDS", 0.1)
    async with opened(tmp_path, engine_grace_seconds=0.3) as executor:
        launch = make_launch("sleep")
        await start_and_await(executor, launch)
        wire.cut()
        exit = (await end_of(executor)).exit
        assert exit.code is None
        assert "away for longer than engine_grace_seconds = 0.3" in (exit.reason or "")
        await executor.remove(launch.key)
        wire.mend()
        async with asyncio.timeout(60):
            while await executor._calls.patiently(executor._calls.containers):
                await asyncio.sleep(0.05)


async def test_a_server_waits_for_its_engine_and_says_so(
    wire: Wire, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wire.cut()
    instance = open_instance(tmp_path)
    nobody: Any = None
    site = Site(instance, nobody, nobody, SERVER)
    with pytest.raises(ExecutorUnusable):
        await docker_executor()(site)
    with caplog.at_level(logging.WARNING, "leoflow.executor.docker"):
        opening = asyncio.create_task(docker_executor(patient=True)(site))
        async with asyncio.timeout(60):
            while "waiting for the engine" not in caplog.text:
                await asyncio.sleep(0.01)
    opening.cancel()
    await asyncio.wait({opening})
    wire.mend()
    instance.close()


async def test_the_socket_of_a_server_is_found_by_containers_of_the_one_before(
    tmp_path: Path, image: str
) -> None:
    instance = open_instance(tmp_path)
    dead, server = await open_executor(instance, SERVER)
    folder = dead._place.socket_folder
    await dead.close(leave_running=True)
    await server.close()
    async with opened(tmp_path, SERVER) as heir:
        assert heir._place.socket_folder == folder
        launch = make_launch(f"reach:{heir.endpoint.removeprefix('unix:')}")
        await heir.start(launch)
        assert (await end_of(heir)).exit.code == 0
    instance.close()


async def test_a_container_that_was_only_created_is_started_once(
    tmp_path: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill -9 between the two calls."""
    launch, again = make_launch("exit:5", staging=1000), make_launch("exit:6", 2)
    instance = open_instance(tmp_path)
    dead, server = await open_executor(instance, SERVER)
    with monkeypatch.context() as patch:
        patch.setattr(dead._engine, "_run", lambda *_: None)
        await dead.start(launch)
        await dead.start(again)
    await dead.close(leave_running=True)
    await server.close()
    async with opened(tmp_path, SERVER) as heir:
        await heir.start(again._replace(environment={"BEHAVE": "exit:7"}))
        assert (await end_of(heir)).exit.code == 6
        assert await heir.adopt({launch.key}, {launch.key.run}) == {launch.key}
        assert (await end_of(heir)).exit.code == 5
    instance.close()


@pytest.mark.long
async def test_what_a_killed_server_had_started_is_adopted(tmp_path: Path, image: str) -> None:
    runs, ended, unwanted = (make_launch(what, n) for n, what in enumerate(BEHAVIOURS))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert json.loads(await child.stdout.readline()) == "started"
    child.kill()
    await child.wait()
    async with opened(tmp_path, SERVER) as heir:
        found = await heir.adopt({runs.key, ended.key}, {runs.key.run})
        assert found == {runs.key, ended.key}
        assert len(await heir._calls.containers()) == 2
        end = await end_of(heir)
        assert (end.key, end.exit.code) == (ended.key, 7)
        assert end.started_at is not None
        assert "out of luck" in (await heir.log_tail(ended.key) or "")
        await heir.stop(runs.key, 10)
        assert (await end_of(heir)).exit.code == 143
        for launch in (runs, ended):
            await heir.remove(launch.key)
        assert await heir._calls.containers() == []
    assert unwanted.key not in found


async def test_what_nobody_waits_for_is_removed_after_a_while(
    tmp_path: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leoflow_controlplane.executor.docker.watching.LIST_SECONDS", 0.05)
    monkeypatch.setattr("leoflow_controlplane.executor.docker.tidying.STRAY_SECONDS", 0.1)
    async with opened(tmp_path) as executor:
        launch = make_launch("sleep")
        await start_and_await(executor, launch)
        executor._watch.live.clear()
        executor._tidying._strays["any"] = 0.0
        async with asyncio.timeout(60):
            while await executor._calls.containers():
                await asyncio.sleep(0.02)


async def test_a_container_of_somebody_else_with_the_name_is_left_alone(
    tmp_path: Path, image: str
) -> None:
    launch = make_launch("sleep")
    async with opened(tmp_path) as executor:
        name = name_of(executor, launch)
        on_engine("create_container_from_config", {"Image": image}, name)
        with pytest.raises(LaunchFailed, match=f"docker rm -f {name}") as caught:
            await executor.start(launch)
        assert not caught.value.transient
        assert on_engine("inspect_container", name)["State"]["Status"] == "created"
        on_engine("remove_container", name)


async def test_a_paused_container_is_stopped(tmp_path: Path, image: str) -> None:
    launch = make_launch("stubborn")
    async with opened(tmp_path) as executor:
        await start_and_await(executor, launch)
        on_engine("pause", name_of(executor, launch))
        await executor.stop(launch.key, 0.2)
        assert (await end_of(executor)).exit.code == 137


@pytest.mark.long
async def test_nothing_of_an_executor_that_is_closed_goes_on(tmp_path: Path, image: str) -> None:
    files = open_files()
    for _ in range(3):
        async with opened(tmp_path) as executor:
            await executor.start(make_launch("exit:0"))
            await end_of(executor)
    async with asyncio.timeout(60):
        while own_threads() or open_files() > files:
            await asyncio.sleep(0.05)


@pytest.fixture
def registry(tmp_path: Path, image: str) -> Iterator[Callable[[str], str]]:
    """Gives a way to name an image of a registry, which has one called ``there``."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with running_registry(folder) as host:
        on_engine("tag", image, f"{host}/there", "1")
        list(on_engine("push", f"{host}/there", "1", stream=True))
        on_engine("remove_image", f"{host}/there:1")
        yield lambda name: f"{host}/{name}:1"
        with suppress(Exception):
            on_engine("remove_image", f"{host}/there:1", force=True)


async def test_an_image_that_is_missing_is_pulled(
    tmp_path: Path, registry: Callable[[str], str]
) -> None:
    said: list[str] = []
    reference = registry("there")
    async with opened(tmp_path) as executor:
        launches = [make_launch("exit:3", n, image=reference, say=said.append) for n in (1, 2)]
        await asyncio.gather(*(executor.start(launch) for launch in launches))
        assert {(await end_of(executor)).exit.code for _ in launches} == {3}
        assert executor.figures.pulls == 1
    assert said[0] == f"pulling image '{reference}'"
    assert said[-1].startswith(f"pulled image '{reference}' in ")


async def test_an_image_that_a_registry_does_not_have_is_final(
    tmp_path: Path, registry: Callable[[str], str]
) -> None:
    async with opened(tmp_path) as executor:
        with pytest.raises(LaunchFailed, match=r"cannot be pulled: .*not found") as caught:
            await executor.start(make_launch("exit:0", image=registry("absent")))
        assert not caught.value.transient
        assert executor.figures.pulls == executor.figures.pull_failures == 1


async def test_a_registry_that_does_not_answer_is_tried_until_the_limit(
    tmp_path: Path, image: str
) -> None:
    said: list[str] = []
    async with opened(tmp_path, pull_timeout_seconds=5) as executor:
        launch = make_launch("exit:0", image="127.0.0.1:9/none:1", say=said.append)
        with pytest.raises(LaunchFailed, match=r"pull_timeout_seconds = 5: .*refused"):
            await executor.start(launch)
    assert any("trying again in 1 s" in text for text in said)


BEHAVIOURS = ("sleep", "print:out of luck", "stubborn")
KILLED = f"""
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = {sys.path!r}
from executor_contract import make_launch
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.model import SERVER
from test_docker_executor import open_executor

async def main():
    executor, server = await open_executor(open_instance(Path(sys.argv[1])), SERVER)
    for number, behave in enumerate({BEHAVIOURS!r}):
        await executor.start(make_launch(behave, number))
    print(json.dumps("started"), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
