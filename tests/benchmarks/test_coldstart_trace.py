"""What is seen at the product's seams, and the little that is changed there."""

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import pytest
from leoflow_agent.wire import Acknowledgement, Inputs, Report
from leoflow_controlplane.executor.docker.engine import Engine
from leoflow_controlplane.model import TryKey

from benchmarks.build.process import BenchError
from benchmarks.coldstart.cpumeter import CpuMeter
from benchmarks.coldstart.trace import Seam, Trace

KEY = TryKey("d", "r", "a", -1, 1)


class FakeDesk:
    """Takes in every report, and says when it did."""

    def __init__(self) -> None:
        self.taken_at = 0.0

    def take_report(self, token: str, report: Report) -> asyncio.Future[Acknowledgement]:
        self.taken_at = time.time()
        ack = len(report["events"])
        taken: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        taken.set_result(Acknowledgement(ack=ack, terminate=None, heartbeat_seconds=30.0))
        return taken

    async def give_inputs(self, token: str) -> Inputs:
        raise AssertionError("nobody asks")


class FakeEngine:
    """Keeps the body of a create call, and whether it had been noted by then."""

    def __init__(self, trace: Trace) -> None:
        self.body: dict[str, Any] = {}
        self.was_noted = False
        self._trace = trace

    def create_and_start(self, name: str, body: dict[str, Any]) -> float:
        self.body = body
        self.was_noted = self._trace.requested(KEY) > 0
        return 1.5

    def remove(self, name: str) -> str:
        return f"removed {name}"


async def test_a_verdict_is_found_by_the_instant_at_which_user_code_returned() -> None:
    trace, desk = Trace(), FakeDesk()
    trace.watch(desk)
    report = Report(
        protocol=1,
        nonce="n",
        events=[
            {"seq": 1, "at": 1.0, "type": "started", "agent_up": 1.0},
            {"seq": 2, "at": 2.5, "type": "finished", "left": 2.25, "state": "success"},
        ],
    )
    answer = await desk.take_report("token", report)
    await asyncio.sleep(0)
    assert answer["ack"] == 2
    assert list(trace.verdicts) == [2.25]
    verdict = trace.verdicts[2.25]
    assert verdict.written == 2.5
    assert verdict.arrived <= desk.taken_at <= verdict.committed


def test_what_did_not_come_by_is_named() -> None:
    with pytest.raises(BenchError, match=r"'a'.* did not come by"):
        Trace().requested(KEY)


def test_a_container_is_asked_for_with_its_own_group_and_another_agent(tmp_path: Path) -> None:
    trace = Trace()
    trace.note_handed(KEY, "box")
    engine = FakeEngine(trace)
    meter = CpuMeter("run", cgroups=tmp_path)
    seam = Seam(cast(Engine, engine), trace, meter, {"naive:1": {"Entrypoint": ["other"]}})
    body = {"Image": "naive:1", "User": "1", "HostConfig": {"Memory": 5}}
    assert seam.create_and_start("box", body) == 1.5
    assert engine.was_noted
    assert engine.body == {
        "Image": "naive:1",
        "User": "1",
        "Entrypoint": ["other"],
        "HostConfig": {"Memory": 5, "CgroupParent": "/leoflow-bench-run/box"},
    }
    assert body["HostConfig"] == {"Memory": 5}


def test_every_other_call_goes_to_the_engine(tmp_path: Path) -> None:
    trace = Trace()
    engine = cast(Engine, FakeEngine(trace))
    seam = Seam(engine, trace, CpuMeter("run", cgroups=tmp_path), {})
    assert seam.remove("box") == "removed box"
