"""The Docker executor against a real engine, with an image that is one static program."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "controlplane"))

from executor_contract import (
    IMAGE_VARIABLE,
    ExecutorContract,
    Heirs,
    StagingContract,
    end_of,
    make_launch,
    run_one,
)
from leoflow_agent.spec import Quantities, Resources
from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import AgentApp
from leoflow_controlplane.container import container_name
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.docker.engine import open_engine
from leoflow_controlplane.executor.docker.executor import DockerExecutor, docker_executor
from leoflow_controlplane.executor.protocol import Executor, Limits, Site
from leoflow_controlplane.instance import Instance, open_instance
from leoflow_controlplane.model import SERVER

pytestmark = pytest.mark.engine

MIB = 1024**2
AGENT = r"""
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void leave(int signal) { _exit(128 + signal); }

static int reach(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : 1;
}

int main(void) {
    const char *behave = getenv("BEHAVE");
    if (strncmp(behave, "exit:", 5) == 0) return atoi(behave + 5);
    if (strncmp(behave, "print:", 6) == 0) { fprintf(stderr, "%s\n", behave + 6); return 7; }
    if (strncmp(behave, "reach:", 6) == 0) return reach(behave + 6);
    if (strncmp(behave, "leave:", 6) == 0) {
        int fd = open("/tmp/.leoflow-verdict", O_CREAT | O_WRONLY, 0644);
        return write(fd, behave + 6, strlen(behave + 6)) > 0 ? 7 : 1;
    }
    if (strncmp(behave, "size:", 5) == 0) {
        int fd = open("/tmp/.leoflow-verdict", O_CREAT | O_WRONLY, 0644);
        return ftruncate(fd, atoi(behave + 5));
    }
    if (strcmp(behave, "folder") == 0) return mkdir("/tmp/.leoflow-verdict", 0755);
    if (strcmp(behave, "uid") == 0) return getuid() == 65532 && getgid() == 65532 ? 0 : 1;
    if (strcmp(behave, "write") == 0) {
        char path[256];
        snprintf(path, sizeof path, "%s/made", getenv("LEOFLOW_ARTIFACTS"));
        int fd = open(path, O_CREAT | O_WRONLY, 0644);
        return fd >= 0 && write(fd, "here", 4) == 4 ? 0 : 1;
    }
    char kept[256];
    snprintf(kept, sizeof kept, "%s/kept", getenv("LEOFLOW_STAGING") ?: "/nowhere");
    if (strcmp(behave, "keep") == 0) return open(kept, O_CREAT | O_WRONLY, 0644) < 0;
    if (strcmp(behave, "find") == 0) return access(kept, F_OK) != 0;
    if (strcmp(behave, "eat") == 0) for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    signal(SIGTERM, strcmp(behave, "stubborn") == 0 ? SIG_IGN : leave);
    fprintf(stderr, "ready\n");
    for (;;) pause();
}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image that holds nothing but a static program."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "agent.c").write_text(AGENT)
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "a C compiler is needed: install gcc"
    command = [compiler, "-static", "-O1", "-o", folder / "agent", folder / "agent.c"]
    subprocess.run(command, check=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder / "agent", "agent")
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(scratch)
    client: Any = open_engine()._client
    # Another module that has one, in a process beside this one, removes it when it is done.
    repository, tag = "leoflow-test-agent", uuid4().hex[:12]
    client.import_image_from_data(
        archive.getvalue(), repository=repository, tag=tag, changes=['ENTRYPOINT ["/agent"]']
    )
    name = f"{repository}:{tag}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(IMAGE_VARIABLE, name)
        yield name
    client.remove_image(name, force=True)
    client.close()


async def open_executor(
    instance: Instance, owner: str | None = None, limits: Limits | None = None
) -> tuple[DockerExecutor, AgentServer]:
    desk: Any = None
    server = AgentServer(instance, AgentApp(desk))
    site = Site(instance, server, desk, owner, limits=limits or Limits())
    return await docker_executor()(site), server


@pytest.fixture
async def made(tmp_path: Path, image: str) -> AsyncIterator[DockerExecutor]:
    instance = open_instance(tmp_path)
    executor, server = await open_executor(instance)
    yield executor
    await executor.close()
    await server.close()
    instance.close()
    assert containers_of(instance) == []


@pytest.fixture
async def heirs(tmp_path: Path, image: str) -> AsyncIterator[Heirs]:
    """Gives one executor after the other of the server of a home; the last is closed in the end."""
    opened: list[tuple[DockerExecutor, AgentServer, Instance]] = []

    async def make() -> DockerExecutor:
        instance = open_instance(tmp_path)
        opened.append((*await open_executor(instance, SERVER), instance))
        return opened[-1][0]

    yield make
    await opened[-1][0].close()
    for _, server, instance in opened:
        await server.close()
        instance.close()
    assert containers_of(instance) == []


def containers_of(instance: Instance) -> list[str]:
    engine = open_engine()
    found = [item.name for item in engine.list_containers(f"leoflow.home={instance.home_id}")]
    engine.close()
    return found


class TestDocker(ExecutorContract, StagingContract):
    """See the contract."""

    async def test_the_agent_socket_is_usable_in_the_container(self, made: DockerExecutor) -> None:
        path = made.endpoint.removeprefix("unix:")
        assert (await run_one(made, make_launch(f"reach:{path}"))).exit.code == 0

    async def test_the_user_is_unprivileged(self, made: Executor) -> None:
        assert (await run_one(made, make_launch("uid"))).exit.code == 0

    async def test_artifacts_are_left_where_the_host_can_read_them(
        self, made: Executor, tmp_path: Path
    ) -> None:
        folder = tmp_path / "artifacts"
        folder.mkdir()
        folder.chmod(0o777)
        ended = await run_one(made, make_launch("write", artifacts=str(folder)))
        assert ended.exit.code == 0
        assert (folder / "made").read_text() == "here"

    async def test_memory_that_runs_out_is_told(self, made: Executor) -> None:
        resources = Resources(Quantities(100, 16 * MIB))
        ended = await run_one(made, make_launch("eat", resources=resources))
        assert (ended.exit.code, ended.exit.oom_killed) == (137, True)

    @pytest.mark.parametrize("behave", ["size:4097", "size:2000000000", "folder"])
    async def test_what_is_no_verdict_is_not_read(self, made: Executor, behave: str) -> None:
        launch = make_launch(behave)
        await made.start(launch)
        assert (await end_of(made)).exit.code == 0
        assert await made.left_verdict(launch.key) is None

    async def test_an_image_that_is_missing_is_named(self, made: Executor) -> None:
        with pytest.raises(LaunchFailed, match="'leoflow-no-such' is not on this Docker") as caught:
            await made.start(make_launch("exit:0", image="leoflow-no-such"))
        assert not caught.value.transient

    async def test_a_container_that_is_removed_from_outside_ends(
        self, made: DockerExecutor
    ) -> None:
        launch = make_launch("sleep")
        await made.start(launch)
        engine = open_engine()
        engine.remove(container_name(launch.key, made._place.home_id))
        engine.close()
        assert (await end_of(made)).exit.code in (None, 137)

    async def test_a_lost_event_is_made_up_for_by_the_list(
        self, made: DockerExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(made._watch, "_take_event", lambda name, action: None)
        ended = await run_one(made, make_launch("exit:5"))
        assert ended.exit.code == 5

    async def test_an_interrupted_stream_of_events_is_taken_up_again(
        self, made: DockerExecutor
    ) -> None:
        made._engine._events._stream.close()
        ended = await run_one(made, make_launch("exit:5"))
        assert ended.exit.code == 5

    async def test_closing_removes_what_is_just_being_started(
        self, tmp_path: Path, image: str
    ) -> None:
        instance = open_instance(tmp_path / "other")
        executor, server = await open_executor(instance)
        starting = [
            asyncio.create_task(executor.start(make_launch("sleep", number))) for number in range(3)
        ]
        await asyncio.sleep(0)
        for task in starting:
            task.cancel()
        await executor.close()
        await server.close()
        assert containers_of(instance) == []
        instance.close()

    async def test_what_a_killed_process_left_is_swept(
        self, made: DockerExecutor, tmp_path: Path, image: str
    ) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        name = json.loads(await child.stdout.readline())
        child.kill()
        await child.wait()
        assert await made.sweep() == [f"container {name}"]
        assert await made.sweep() == []


KILLED = f"""
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = {sys.path!r}
from executor_contract import make_launch
from leoflow_controlplane.container import container_name
from leoflow_controlplane.instance import open_instance
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_docker_executor import open_executor

async def main():
    instance = open_instance(Path(sys.argv[1]))
    executor, server = await open_executor(instance)
    launch = make_launch("sleep", 9)
    await executor.start(launch)
    print(json.dumps(container_name(launch.key, instance.home_id)), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
