"""What only a real cluster can show: ends, whole runs by the command line, a server that is killed,
and what a Pod costs beside a bare one. Run by `make test-kubernetes`."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from clusterground import Dressed, Ground, calls_of, opened, running_plane
from clusterprobe import bare_pod
from executor_contract import end_of, make_launch, run_one, start_and_await
from freeport import free_port
from leoflow_agent.podoption import PodOptions
from leoflow_agent.spec import Quantities, Resources
from leoflow_builder.dagjson import parse_built
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.protocol import Limits
from leoflow_controlplane.model import RunRequest
from leoflow_controlplane.pod.name import pod_name
from nodeimage import ROOT, bring, without_ours

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

MIB = 1024**2
ROUNDS = 15
MOST_RATIO = 1.1
NAP = "dag_id: nap\ntasks:\n  sleep: {bash: sleep 20}\n"
FAILING = "dag_id: failing\ntasks:\n  fall: {bash: 'echo oh no; exit 3'}\n"
RESOURCES = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"


@pytest.fixture
async def made(ground: Ground, tmp_path: Path) -> AsyncIterator[Dressed]:
    limits = Limits(schedule_timeout_seconds=10.0, pull_grace_seconds=20.0)
    async with opened(ground, tmp_path / "home", limits=limits) as executor:
        yield executor


async def test_a_task_is_nobody_and_writes_to_tmp_only(made: Dressed) -> None:
    assert (await run_one(made, make_launch("uid"))).exit.code == 0
    assert (await run_one(made, make_launch("root", 2))).exit.code == 0


async def test_memory_that_runs_out_is_told(made: Dressed) -> None:
    resources = Resources(Quantities(100, 32 * MIB))
    ended = await run_one(made, make_launch("eat", resources=resources))
    assert (ended.exit.code, ended.exit.oom_killed) == (137, True)


async def test_an_image_that_does_not_exist_is_told(made: Dressed, ground: Ground) -> None:
    image = f"{ground.image.partition('@')[0].rpartition(':')[0]}:does-not-exist"
    ended = await run_one(made, make_launch("exit:0", image=image))
    assert "its image c" in (ended.exit.reason or "")
    assert ended.exit.code is None


async def test_a_task_that_no_node_fits_is_told(made: Dressed) -> None:
    options = PodOptions(node_selector={"leoflow.dev/no-such": "node"})
    ended = await run_one(made, make_launch("exit:0", kubernetes=options))
    assert "no node took its Pod within schedule_timeout_seconds" in (ended.exit.reason or "")
    assert "nodes are available" in (ended.exit.reason or "")


async def test_a_pod_that_somebody_deletes_is_told(made: Dressed, ground: Ground) -> None:
    launch = make_launch("sleep")
    await start_and_await(made, launch)
    async with calls_of(ground) as calls:
        await calls.delete_pod(pod_name(launch.key, made.executor._place.realm_id), 5)
    exit = (await end_of(made)).exit
    assert exit.machinery
    assert "deleted by somebody" in (exit.reason or "")


class Leoflow:
    """Runs leoflow on the cluster, with a home of its own."""

    def __init__(self, home: Path) -> None:
        ours = without_ours(os.environ)
        self.environment = {**ours, "LEOFLOW_HOME": str(home), "NO_COLOR": "1"}
        self.environment["KUBECONFIG"] = os.environ["LEOFLOW_TEST_KUBECONFIG"]

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """Start a command."""
        command = ["leoflow", *map(str, arguments)]
        return subprocess.Popen(command, env=self.environment, text=True, **options)

    def json(self, *arguments: object) -> tuple[int, Any]:
        """Run a command with --json; give its exit code and what it printed."""
        process = self.start(*arguments, "--json", stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=600)
        return process.returncode, json.loads(out or "null")


@pytest.fixture
def leoflow(tmp_path: Path, shared_home: Path) -> Leoflow:
    home = tmp_path / "leoflow-home"
    home.mkdir()
    (shared_home / "cache").mkdir(exist_ok=True)
    (home / "cache").symlink_to(shared_home / "cache", target_is_directory=True)
    return Leoflow(home)


def _image_options() -> list[str]:
    registry = os.environ.get("LEOFLOW_TEST_REGISTRY")
    name = f"leoflow-test:{secrets.token_hex(3)}"
    return ["--push", "--tag", f"{registry}/{name}"] if registry else []


@pytest.mark.parametrize("example", ["01-hello", "09-mapping"])
def test_an_example_runs(leoflow: Leoflow, example: str) -> None:
    project = ROOT / "examples" / example
    code, told = leoflow.json("run", project, "--executor", "kubernetes", *_image_options())
    assert (code, told["state"]) == (0, "success")


def test_a_run_that_fails_says_why(leoflow: Leoflow, tmp_path: Path) -> None:
    project = tmp_path / "failing"
    project.mkdir()
    (project / "leoflow.yaml").write_text(RESOURCES)
    (project / "dag.yaml").write_text(FAILING)
    code, told = leoflow.json("run", project, "--executor", "kubernetes", *_image_options())
    assert (code, told["state"]) == (1, "failed")
    assert "3" in told["tasks"][0]["reason"]


@pytest.fixture
def nap(tmp_path: Path) -> Path:
    """A project of one task that takes a while, whose image the nodes have."""
    project = tmp_path / "nap"
    project.mkdir()
    (project / "dag.yaml").write_text(NAP)
    (project / "leoflow.yaml").write_text(RESOURCES)
    (tmp_path / "built").mkdir()
    return bring(project, tmp_path / "built").dag


def test_a_server_that_is_killed_finds_its_pods_again(leoflow: Leoflow, nap: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    leoflow.environment["LEOFLOW_SERVER"] = url
    command = ("server", "--port", url.rpartition(":")[2], "--executor", "kubernetes")
    server = leoflow.start(*command)
    try:
        _insist(lambda: leoflow.json("push", nap)[0] == 0)
        assert leoflow.json("trigger", "nap", "--run-id", "mine")[0] == 0
        _insist(lambda: _task(leoflow)["state"] == "running")
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = leoflow.start(*command)
        _insist(lambda: _task(leoflow)["state"] in ("success", "failed"))
        assert (_task(leoflow)["state"], _task(leoflow)["try_number"]) == ("success", 1)
    finally:
        server.terminate()
        server.wait(60)


def _task(leoflow: Leoflow) -> Any:
    code, run = leoflow.json("runs", "show", "nap", "mine")
    return run["tasks"][0] if code == 0 else {"state": None}


def _insist(is_so: Any, seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.5)


async def test_a_pod_costs_little_more_than_a_bare_one(
    ground: Ground, tmp_path: Path, record_property: Any
) -> None:
    """From dispatch to the verdict, against a bare Pod of the same image from its creation until
    the cluster shows it as Succeeded; one after the other, in turns."""
    built = parse_built(Path(os.environ["LEOFLOW_TEST_DAG"]).read_bytes())
    ours, bare = [], []
    async with calls_of(ground) as calls, running_plane(ground, tmp_path) as plane:
        for _ in range(ROUNDS):
            bare.append(await _time_bare(calls, ground.image))
            key = await plane.create_run(RunRequest(built.spec, ground.image))
            [task] = (await plane.wait(key)).tasks
            assert task.state == "success", task.reason
            ours.append(task.instants["reported"] - task.instants["dispatched"])
    ratio = statistics.median(ours) / statistics.median(bare)
    text = (
        f"a no-op Pod: {statistics.median(ours):.2f} s from dispatch to verdict, a bare one "
        f"{statistics.median(bare):.2f} s, ratio {ratio:.2f} ({ROUNDS} rounds)"
    )
    print(text)
    record_property("figure", text)
    assert ratio <= MOST_RATIO, text


async def _time_bare(calls: ApiCalls, image: str) -> float:
    name = f"leoflow-bare-{secrets.token_hex(3)}"
    pod = bare_pod(name, image, ["python3", "-I", "-S", "-c", "pass"])
    pod["metadata"]["labels"] = {"leoflow-bare": name}
    began = time.monotonic()
    created = await calls.create_pod(pod)
    version = created["metadata"]["resourceVersion"]
    try:
        async with asyncio.timeout(180):
            async for event in calls.watch_pods(f"leoflow-bare={name}", version):
                phase = event.object.get("status", {}).get("phase")
                if phase in ("Succeeded", "Failed"):
                    assert phase == "Succeeded"
                    return time.monotonic() - began
    finally:
        await calls.delete_pod(name, 0)
    raise AssertionError(f"the watch of Pod '{name}' ended before it did")
