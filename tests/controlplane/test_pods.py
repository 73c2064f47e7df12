"""What the control plane makes of an executor whose tries are Pods; a fake plays the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from house import SETTINGS, House, make_dag, make_task
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef, TaskSpec
from leoflow_controlplane.audience import Audience
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.executor.fake import FakeAgent, FakeExecutor, FakeMachine, Script, succeed
from leoflow_controlplane.executor.protocol import FindRuns, Site
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, RunRequest, TryKey
from leoflow_controlplane.observer import Observer
from leoflow_controlplane.verdict import Exit


class FakePods:
    """Answers what is asked about Pods. ``running``: those whose container runs."""

    advice = "Look at http://h:1."
    prepulls = True

    def __init__(self) -> None:
        self.machine = FakeMachine()
        self.running: set[TryKey] = set()
        self.pulled: list[tuple[str, list[str]]] = []
        self.failure: Exception | None = None
        self.kept: Collection[RunKey] = frozenset()

    def starting(self, seconds: float) -> frozenset[TryKey]:
        return frozenset(self.machine.plays) - self.running

    async def find_lack(self, spec: DagSpec) -> str | None:
        return None

    async def find_refusal(self, launch: Launch) -> str | None:
        return None

    def place_of_artifacts(self, key: TryKey) -> str:
        return f"folder {key.task_id} of a claim"

    async def prune(self, find: FindRuns) -> None:
        self.kept = await find(self.kept)

    async def prepull(self, image: str, tasks: Iterable[TaskSpec]) -> int:
        self.pulled.append((image, [task.task_id for task in tasks]))
        if self.failure is not None:
            raise self.failure
        return 1


class Counted(Observer):
    def __init__(self) -> None:
        self.pods: list[int] = []
        self.containers: list[int] = []

    def pods_running(self, count: int) -> None:
        self.pods.append(count)

    def containers_running(self, count: int) -> None:
        self.containers.append(count)


@asynccontextmanager
async def cluster(
    home: Path,
    pods: FakePods,
    script: Script = succeed,
    seen: Counted | None = None,
    **limits: float,
) -> AsyncIterator[House]:
    executors: list[FakeExecutor] = []

    async def make(site: Site) -> FakeExecutor:
        executors.append(FakeExecutor(site.desk, script, pods.machine))
        executors[0].pods = pods
        return executors[0]

    settings = replace(SETTINGS, **limits)
    role = Role(is_server=True, audience=Audience(seen or Counted()))
    async with ControlPlane(home, make, settings, role=role) as plane:
        yield House(plane, executors[0])


def built(digest: str | None = None) -> BuiltDag:
    reference = "registry.example/dag:1"
    return BuiltDag(
        make_dag(make_task("a"), make_task("b", "a")), ImageRef(reference, digest, "linux/amd64")
    )


async def test_the_image_of_a_new_version_is_pulled_ahead_by_its_digest(tmp_path: Path) -> None:
    pods, digest = FakePods(), "sha256:" + "1" * 64
    async with cluster(tmp_path, pods) as house:
        first = await house.plane.commands.register_dag(built(digest))
        again = await house.plane.commands.register_dag(built(digest))
        await asyncio.sleep(0)
    assert pods.pulled == [(f"registry.example/dag@{digest}", ["a", "b"])]
    assert "is being pulled on the nodes" in first.notes[0]
    assert again.notes == ()


async def test_inputs_are_not_in_a_pod_whose_task_must_not_begin_unheard(tmp_path: Path) -> None:
    async with cluster(tmp_path, FakePods()) as house:
        await house.run(make_task("a"))
    assert house.executor.started[0].workload["inputs"] is None


async def test_a_pull_ahead_that_fails_harms_nobody(tmp_path: Path) -> None:
    pods = FakePods()
    pods.failure = RuntimeError("a defect")
    async with cluster(tmp_path, pods) as house:
        await house.plane.commands.register_dag(built())
        await asyncio.sleep(0.01)
        assert house.plane.desk.failure is None


async def test_who_does_not_want_it_has_nothing_pulled_ahead(tmp_path: Path) -> None:
    pods = FakePods()
    pods.prepulls = False
    async with cluster(tmp_path, pods) as house:
        assert (await house.plane.commands.register_dag(built())).notes == ()
    assert pods.pulled == []


async def test_tries_are_counted_as_the_pods_that_they_are(tmp_path: Path) -> None:
    seen = Counted()
    async with cluster(tmp_path, FakePods(), seen=seen) as house:
        await house.run(make_task("a"))
    assert max(seen.pods) == 1
    assert seen.containers == []


async def test_an_agent_that_is_not_heard_of_once_its_pod_runs_is_told_with_its_address(
    tmp_path: Path,
) -> None:
    """Until then there are limits of the executor's own, which are longer."""
    pods = FakePods()

    async def hang(agent: FakeAgent) -> Exit:
        await asyncio.sleep(0.3)
        pods.running.add(agent.launch.key)
        await asyncio.Event().wait()
        return Exit(0)

    limits = {"start_allowance_seconds": 0.05, "removal_allowance_seconds": 10}
    async with cluster(tmp_path, pods, hang, **limits) as house:
        (task,) = (await house.run(make_task("a"))).tasks
    assert task.reason == "its agent did not report within 0.05 s. Look at http://h:1."
    assert task.instants["reported"] - task.instants["dispatched"] >= 0.3


async def test_a_pod_that_takes_long_to_start_is_waited_for(tmp_path: Path) -> None:
    pods, seconds = FakePods(), 0.05

    async def take_long(agent: FakeAgent) -> Exit:
        await asyncio.sleep(6 * seconds)
        return await succeed(agent)

    async with cluster(tmp_path, pods, take_long, start_allowance_seconds=seconds) as house:
        (task,) = (await house.run(make_task("a"))).tasks
    assert (task.state, task.reason) == ("success", None)


async def test_artifacts_of_a_pod_are_where_the_executor_says(tmp_path: Path) -> None:
    """There is no folder of this machine for them."""
    async with cluster(tmp_path, FakePods()) as house:
        dag = make_dag(make_task("a", artifacts=True), staging_bytes=1024)
        key = await house.plane.create_run(RunRequest(dag, "image"))
        (task,) = (await house.plane.wait(key)).tasks
    assert task.artifacts == "folder a of a claim"
    assert house.executor.started[0].artifacts == task.artifacts
    assert house.executor.started[0].run_leaves_artifacts
    assert not (tmp_path / "runs").exists()


async def test_what_is_kept_of_a_run_goes_when_the_run_is_deleted(tmp_path: Path) -> None:
    pods = FakePods()
    async with cluster(tmp_path, pods) as house:
        runs = [await house.begin(make_task("a"), run_id=name) for name in ("one", "two")]
        for run in runs:
            await house.plane.wait(run)
        pods.kept = frozenset(runs)
        await house.plane.commands.delete_run(runs[0])
        async with asyncio.timeout(60):
            while len(pods.kept) == 2:
                await asyncio.sleep(0.001)
    assert pods.kept == {runs[1]}
