"""Measuring starts: the pure parts, and the contract that the fake shares with containers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.spec import Quantities, Resources
from leoflow_agent.wire import TaskContext, Workload
from leoflow_builder.build import build_project
from leoflow_builder.fakestopwatch import FakeStopwatch
from leoflow_builder.importtime import Import, parse_importtime, walk
from leoflow_builder.stopwatch import (
    HARMLESS_FUNCTION,
    MeasureError,
    Probe,
    Stopwatch,
    Timing,
    make_workload,
    opened,
    read_timing,
    resource_options,
)
from leoflow_controlplane.container import make_resources

SMALL = Resources(Quantities(250, 128 * 2**20))
AMOUNTS = st.none() | st.integers(1, 2**40)
DAG = """\
import slow
from leoflow import dag, task


@task
def step():
    print("the task ran")


@dag({0!r})
def project():
    step()


project()
"""


def as_control_plane_would(options: list[str]) -> dict[str, int]:
    """Return docker's options in the words of its API."""
    given = dict(zip(options[::2], options[1::2], strict=True))
    names = {"--cpu-shares": "CpuShares", "--memory": "Memory", "--memory-swap": "MemorySwap"}
    found = {names[key]: int(value) for key, value in given.items() if key in names}
    if "--cpus" in given:
        found["NanoCpus"] = int(Decimal(given["--cpus"]) * 10**9)
    return found


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_task_gets_what_the_control_plane_would_give_it(cpu, memory, cpu_limit, memory_limit):
    resources = Resources(Quantities(cpu, memory), Quantities(cpu_limit, memory_limit))
    assert as_control_plane_would(resource_options(resources)) == make_resources(resources)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_workload_is_whole_and_calls_nothing_of_the_user_s(fresh: bool) -> None:
    workload = make_workload(Probe("step", "dag", SMALL, fresh))
    assert workload.keys() == Workload.__annotations__.keys()
    assert workload["context"].keys() == TaskContext.__annotations__.keys()
    assert workload["job"]["function"] == HARMLESS_FUNCTION
    assert callable(getattr(json, HARMLESS_FUNCTION))
    assert workload["fresh_interpreter"] is fresh


def test_a_timing_is_read_from_the_agent_s_events() -> None:
    events = [
        {"type": "started", "agent_up": 100.02},
        {"type": "entered", "import_started": 100.025, "entered": 100.225},
    ]
    timing = read_timing(datetime.fromtimestamp(100, UTC), events)  # type: ignore[arg-type]
    assert (round(timing.start_ms, 3), round(timing.import_ms, 3)) == (25, 200)
    assert round(timing.user_code_ms, 3) == 225
    late = read_timing(datetime.fromtimestamp(101, UTC), events)  # type: ignore[arg-type]
    assert late.start_ms == 0


class StopwatchContract:
    """What every stopwatch keeps to, for an image with `dag`, which imports `slow` for 0.2 s."""

    def test_a_start_has_its_imports_apart(self, watch: Stopwatch) -> None:
        timing = watch.time_start(Probe("step", "dag", SMALL))
        assert timing.start_ms >= 0
        assert timing.import_ms >= 200
        assert timing.user_code_ms == timing.start_ms + timing.import_ms

    def test_a_trace_has_the_module_and_what_it_imports(self, watch: Stopwatch) -> None:
        trace = parse_importtime(watch.trace_imports(Probe("step", "dag", SMALL)))
        dag = next(node for node in trace if node.name == "dag")
        slow = next(node for node in dag.children if node.name == "slow")
        assert slow.self_us >= 200_000

    def test_what_cannot_be_imported_cannot_be_measured(self, watch: Stopwatch) -> None:
        probe = Probe("step", "nowhere", SMALL)
        with pytest.raises(MeasureError, match=r"task .step. cannot be measured: .*nowhere"):
            watch.time_start(probe)
        with pytest.raises(MeasureError, match="task 'step' cannot be measured"):
            watch.trace_imports(probe)


class TestFake(StopwatchContract):
    """See the contract."""

    @pytest.fixture
    def watch(self) -> Stopwatch:
        dag = Import("dag", 500, 200_600, (Import("slow", 200_100, 200_100),))
        return FakeStopwatch({"dag": [Timing(20, 201)]}, {"dag": [dag]})


@pytest.fixture(scope="module")
def image(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("stopwatch") / "project"
    folder.mkdir()
    dag_id = f"slow-{uuid4().hex[:12]}"
    (folder / "dag.py").write_text(DAG.format(dag_id))
    (folder / "slow.py").write_text("import time\ntime.sleep(0.2)\nprint('half a line', end='')")
    (folder / "hungry.py").write_text("eaten = b'x' * (128 << 20)\n")
    (folder / "leoflow.yaml").write_text(
        "defaults: {resources: {requests: {cpu: 250m, memory: 128Mi}}}\n"
    )
    yield build_project(folder, shared_home, print).image.reference
    order = ["docker", "image", "ls", "--quiet", f"leoflow/{dag_id}"]
    found = subprocess.run(order, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["docker", "image", "rm", "--force", *found], capture_output=True)


@pytest.mark.engine
class TestContainers(StopwatchContract):
    """See the contract."""

    @pytest.fixture
    def watch(self, image: str) -> Iterator[Stopwatch]:
        with opened(image) as watch:
            yield watch
        order = ["docker", "ps", "--all", "--quiet", "--filter", f"ancestor={image}"]
        assert subprocess.run(order, capture_output=True, text=True, check=True).stdout == ""

    def test_a_fresh_interpreter_is_started_when_variables_ask_for_it(
        self, watch: Stopwatch
    ) -> None:
        probe = Probe("step", "dag", SMALL, fresh_interpreter=True)
        assert watch.time_start(probe).import_ms >= 200
        names = {node.name for node in walk(parse_importtime(watch.trace_imports(probe)))}
        assert {"site", "dag", "slow"} <= names

    def test_a_task_killed_for_its_memory_is_told_with_the_limit(self, watch: Stopwatch) -> None:
        probe = Probe("step", "hungry", Resources(Quantities(250, 32 * 2**20)))
        with pytest.raises(MeasureError, match="its memory limit is 32Mi"):
            watch.time_start(probe)
