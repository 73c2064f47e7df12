"""The agent kept as a comparison does its job, and a measurement holds all that it should."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import leoflow
import pytest
from leoflow_agent.action import PythonAction
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.hostproject import HostProject
from leoflow_controlplane.executor.subprocess import subprocess_executor
from leoflow_controlplane.model import RunRequest, RunResult, TryKey, Update
from leoflow_controlplane.setting import Settings

ROOT = Path(__file__).parents[2]
NAIVE = ROOT / "benchmarks" / "coldstart" / "naive"
DAG = """
import sys

from leoflow import dag, task


@task
def clock() -> None:
    print("one")
    print("two", file=sys.stderr)
    {last}


@dag
def naive() -> None:
    clock()


naive()
"""


async def _run(folder: Path, home: Path, last: str) -> tuple[RunResult, list[Update]]:
    for name in ("naive_agent.py", "naive_task.py"):
        (folder / name).write_bytes((NAIVE / name).read_bytes())
    (folder / "dag.py").write_text(DAG.format(last=last))
    resources = Resources(Quantities(100, 2**26))
    task = TaskSpec("clock", PythonAction("dag"), resources, Source("dag.py", 1))
    request = RunRequest(DagSpec("naive", "3.11", (task,)), "")
    command = (sys.executable, "-m", "naive_agent")
    # In an image it is where the naive agent looks for it.
    variables = {"PYTHONPATH": str(Path(leoflow.__file__).parents[1])}
    naive = HostProject(command, folder, variables)
    settings = Settings(max_parallel_tasks=1)
    async with ControlPlane(home, subprocess_executor(lambda _: naive), settings) as plane:
        key = await plane.create_run(request)
        return await plane.wait(key), await plane.log(TryKey(*key, "clock", -1, 1))


@pytest.mark.filterwarnings("ignore:tasks run as plain subprocesses")
async def test_the_naive_agent_reports_start_output_and_verdict(tmp_path: Path, home: Path) -> None:
    result, log = await _run(tmp_path, home, "pass")
    assert result.state == "success"
    assert {(one.stream, one.text) for one in log} == {("stdout", "one"), ("stderr", "two")}
    waits = {"queue", "create", "start", "agent", "import", "run", "report", "total"}
    assert set(result.tasks[0].timeline_ms) == waits


@pytest.mark.filterwarnings("ignore:tasks run as plain subprocesses")
async def test_the_naive_agent_reports_a_failure_with_its_traceback(
    tmp_path: Path, home: Path
) -> None:
    result, log = await _run(tmp_path, home, "raise ValueError('no')")
    assert (result.state, result.tasks[0].reason) == ("failed", "the task's process left with 1")
    assert any("ValueError: no" in one.text for one in log)


@pytest.mark.engine
def test_a_measurement_has_every_figure_and_leaves_nothing(
    tmp_path: Path, shared_home: Path
) -> None:
    document = tmp_path / "found.json"
    names = ["static", "bare_line", "noop", "naive", "edge", "set_network_none"]
    command = [sys.executable, "-m", "benchmarks.coldstart", "--only", ",".join(names)]
    environment = {**os.environ, "LEOFLOW_HOME": str(shared_home)}
    command += ["--rounds", "1", "--json", str(document), "--plot", str(tmp_path / "p.svg")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(document.read_text())
    assert list(found["scenarios"]) == names
    _check(found)
    assert (tmp_path / "p.svg").read_text().startswith("<svg")
    assert not list(Path("/sys/fs/cgroup").glob("**/leoflow-bench-*"))
    listing = ["docker", "ps", "--all", "--quiet", "--filter", "label=leoflow.bench"]
    assert subprocess.run(listing, capture_output=True, text=True, timeout=60).stdout == ""


def _check(found: dict[str, Any]) -> None:
    figures = {name: one["figures"] for name, one in found["scenarios"].items()}
    for name in ("bare_line", "noop", "naive"):
        # A busy engine notes the start of a process when that has printed already.
        assert -1000 < figures[name]["first_line"]["median"] < 60_000
        assert figures[name]["cpu_before_user_code"]["median"] > 0
    if found["machine"]["cpu_not_measured"] is None:
        assert figures["static"]["cpu"]["median"] > 0
    edge = figures["edge"]
    steps = ("child_end", "report", "commit", "dispatch", "request")
    sum_of_steps = sum(edge[step]["median"] for step in steps)
    assert sum_of_steps == pytest.approx(edge["to_create_request"]["median"], abs=0.01)
    # There is none to what took no time at all.
    told = "first line: no-op task / bare" in {one["what"] for one in found["ratios"]}
    assert told == (figures["bare_line"]["first_line"]["median"] > 0)
