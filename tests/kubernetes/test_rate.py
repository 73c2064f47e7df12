"""How fast Pods are created; what that takes of processor time depends on the machine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from clusterground import Ground, open_executor
from emulator.cluster import NAMESPACE
from emulatorprocess import emulator
from executor_contract import end_of, make_launch
from leoflow_controlplane.executor.cluster.pace import BURST_SECONDS
from leoflow_controlplane.kubernetessetting import KubernetesSettings

PODS = 1000
RATE = KubernetesSettings().create_rate


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_pods_are_created_as_fast_as_is_allowed_and_no_faster(tmp_path: Path) -> None:
    """`python -m pytest -s -m long tests/kubernetes/test_rate.py` prints what docs/benchmarks.md
    says. How fast it is at least is for a machine that does nothing else to show."""
    home = tmp_path / "home"
    home.mkdir()
    async with emulator(tmp_path):
        ground = Ground(str(tmp_path / "kubeconfig"), NAMESPACE, "image", "http://127.0.0.1:9")
        opened = await open_executor(ground, home)
        executor = opened.executor
        launches = [make_launch("exit:0", number) for number in range(PODS)]
        began, processor = time.time(), time.process_time()
        starting = [asyncio.create_task(executor.start(launch)) for launch in launches]
        for _ in launches:
            ended = await end_of(executor)
            assert ended.exit.code == 0
            await executor.remove(ended.key)
        created = [(await one)["created"] for one in starting]
        await opened.close()
        processor = time.process_time() - processor
    seconds = max(created) - began
    print(
        f"{PODS / seconds:.0f} creations a second, {processor / PODS * 1000:.1f} ms of processor "
        f"time for a Pod, {time.time() - began:.1f} s until the last one was gone"
    )
    # Answers may come in a bunch after a moment in which the loop was busy; calls may not.
    assert seconds >= PODS / RATE - BURST_SECONDS
