"""Every way a Pod can end is told with the cluster's own words, and as whose fault it is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from clusterground import Ground, opened
from emulator.cluster import Cluster
from executor_contract import end_of, make_launch
from leoflow_agent.podoption import PodOptions
from leoflow_controlplane.executor.cluster import ends, limits, overdue
from leoflow_controlplane.executor.protocol import Limits


class End(NamedTuple):
    """What is told of a Pod. ``words`` is a pattern that the reason begins with."""

    code: int | None
    words: str = ""
    oom_killed: bool = False
    machinery: bool = False
    final: bool = False


def _lost(words: str) -> End:
    return End(None, words, machinery=True)


def _final(words: str) -> End:
    return End(None, words, final=True)


# By fate and by what the container does, which is to sleep where nothing is said.
ENDS: dict[tuple[str, str], End] = {
    ("run", "exit:0"): End(0),
    ("run", "exit:3"): End(3),
    ("crawling:0.1", "exit:0"): End(0),
    ("unschedulable_first:0.1", "exit:0"): End(0),
    ("pull_error_first", "exit:0"): End(0),
    ("oom", ""): End(137, oom_killed=True),
    ("oom_late", ""): End(137, oom_killed=True),
    ("unschedulable", ""): _final(
        r"no node took its Pod within schedule_timeout_seconds = 0\.3: 0/1 nodes are available: "
        "1 Insufficient cpu"
    ),
    ("pull_error", ""): _final(
        r"its image cannot be pulled: .*ErrImagePull: rpc error: code = NotFound.*image: not found"
    ),
    ("pull_error:connection refused", ""): _lost(
        r"its image could not be pulled within pull_grace_seconds = 0\.3: .*connection refused"
    ),
    ("never_pulled", ""): _final(r"its image cannot be pulled: ErrImageNeverPull: Container image"),
    ("invalid_image_name", ""): _final(
        "the name of its image makes no sense: InvalidImageName: Failed to apply default image tag"
    ),
    ("config_error", ""): _final(
        r'its container cannot be made: CreateContainerConfigError: secret "keys" not found'
    ),
    ("create_error", ""): _final("its container cannot be made: CreateContainerError: failed to"),
    ("stuck", ""): _lost(
        r"its container did not run within start_timeout_seconds = 0\.3: FailedMount: MountVolume"
    ),
    ("start_error", ""): _final(
        "its container could not be started: StartError: failed to create containerd task"
    ),
    ("evicted", ""): _lost("its Pod was evicted from its node: The node was low on resource"),
    ("disk_full", ""): End(
        None, "its Pod was evicted for using more disk than it may: Container task exceeded"
    ),
    ("preempted", ""): _lost("its Pod was preempted by a Pod of higher priority: default-sched"),
    ("drained", ""): _lost("its Pod was evicted from its node, as when a node is drained"),
    ("node_lost", ""): _lost("its Pod lost its node 'node-1', which does not answer: Taint"),
    ("node_gone", ""): _lost("its Pod lost its node, which is gone: PodGC: node no longer"),
    ("node_shutdown", ""): _lost("its Pod was ended because its node shuts down: Pod was term"),
    ("node_rebooted", ""): _lost("its node has lost its container: The container could not be"),
    ("rejected", ""): _lost(r"its node refused its Pod \(OutOfcpu\): Pod was rejected: Node"),
    ("deadline", ""): End(None, "its Pod ran longer than its activeDeadlineSeconds: Pod was act"),
    ("deleted", ""): End(143, "its Pod was deleted by somebody", machinery=True),
    ("vanished", ""): _lost("its Pod was deleted by somebody while it ran"),
    ("vanished_pending", ""): _lost("its Pod was deleted by somebody while it had not started yet"),
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at clocks more often than anybody would."""
    monkeypatch.setattr(overdue, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(overdue, "VANISH_SECONDS", 0.2)
    monkeypatch.setattr(ends, "LOOK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(limits, "HOPELESS_SECONDS", 0.3)
    monkeypatch.setattr(limits, "CONFIG_SECONDS", 0.3)
    monkeypatch.setattr(limits, "LEAVE_SECONDS", 0.2)


@pytest.mark.parametrize(("fate", "behave"), ENDS)
async def test_each_end_is_told_for_what_it_is(
    ground: Ground, cluster: Cluster, tmp_path: Path, fate: str, behave: str
) -> None:
    wanted = ENDS[fate, behave]
    # A busy machine must not run into a limit that this end is not about.
    chosen = Limits(**dict.fromkeys(re.findall(r"(\w+_seconds) = ", wanted.words), 0.3))
    options = PodOptions(env=({"name": "FATE", "value": fate},))
    launch = make_launch(behave or "sleep", kubernetes=options)
    async with opened(ground, tmp_path / "home", limits=chosen) as executor:
        await executor.start(launch)
        exit = (await end_of(executor)).exit
        # Nothing is told while a Pod is there that another try might run beside.
        assert all(pod["status"]["phase"] in ("Succeeded", "Failed") for pod in cluster.pods())
        await executor.remove(launch.key)
        async with asyncio.timeout(60):
            while cluster.pods():
                await asyncio.sleep(0.005)
    told = (exit.code, exit.oom_killed, exit.machinery, exit.final)
    assert told == (wanted.code, wanted.oom_killed, wanted.machinery, wanted.final), exit.reason
    assert re.match(wanted.words, exit.reason or "", re.DOTALL), exit.reason
