"""How long a Pod may wait in each stage; the clock is an argument."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.executor.cluster.limits import (
    CONFIG_SECONDS,
    HOPELESS_SECONDS,
    LEAVE_SECONDS,
    MOUNT_ADVICE,
    Wait,
    is_late,
    judge_late,
    note,
    read_progress,
)
from leoflow_controlplane.executor.protocol import Limits
from leoflow_controlplane.pod.ending import Stage, Waiting
from leoflow_controlplane.pod.slim import PodView

LIMITS = Limits(
    pull_timeout_seconds=400,
    start_timeout_seconds=100,
    schedule_timeout_seconds=200,
    pull_grace_seconds=50,
)
VIEW = PodView("p", "u", "1", grace_seconds=7)


@pytest.mark.parametrize(
    ("stage", "hopeless", "pulling", "seconds"),
    [
        ("schedule", False, False, 200),
        ("create", False, False, 100),
        ("create", False, True, 400),
        ("pull", False, False, 50),
        ("pull", True, False, HOPELESS_SECONDS),
        ("name", False, False, 0),
        ("config", False, False, CONFIG_SECONDS),
        ("leave", False, False, 7 + LEAVE_SECONDS),
    ],
)
def test_each_stage_has_its_limit(
    stage: Stage, hopeless: bool, pulling: bool, seconds: float
) -> None:
    wait, waiting = Wait(stage, 1000.0, pulling=pulling), Waiting(stage, "", hopeless)
    assert not is_late(wait, waiting, VIEW, LIMITS, 999.9 + seconds)
    assert is_late(wait, waiting, VIEW, LIMITS, 1000.0 + seconds)


stages = st.sampled_from(["schedule", "create", "pull", "config", "leave"])
waits = st.builds(Waiting, stages, st.text(max_size=3))


@given(st.lists(waits, min_size=1))
def test_a_stage_is_waited_in_from_when_it_began(waits: list[Waiting]) -> None:
    wait = None
    since = 0.0
    for now, waiting in enumerate(waits):
        if now == 0 or waits[now - 1].stage != waiting.stage:
            since = float(now)
        wait = note(wait, waiting, float(now))
        assert (wait.stage, wait.since) == (waiting.stage, since)


def test_the_words_of_an_attempt_outlive_those_of_its_back_off() -> None:
    first = note(None, Waiting("pull", "ErrImagePull: reg/x: i/o timeout"), 1.0)
    assert note(first, Waiting("pull", "ImagePullBackOff"), 2.0) == first


@pytest.mark.parametrize(
    ("reasons", "pulling", "words"),
    [
        ([], False, ""),
        (["Scheduled", "Pulling"], True, "Pulling: 1"),
        (["Scheduled", "Pulling", "Pulled"], False, "Pulled: 2"),
        (["Scheduled", "FailedMount", "Odd"], False, "FailedMount: 1"),
    ],
)
def test_events_tell_what_a_node_is_at(reasons: list[str], pulling: bool, words: str) -> None:
    events = [
        {
            "reason": reason,
            "message": f"{number}",
            "type": "Warning" if reason.startswith("Failed") else "Normal",
            "lastTimestamp": f"2026-01-01T00:00:0{number}Z",
        }
        for number, reason in enumerate(reasons)
    ]
    assert read_progress(events[::-1]) == (pulling, words)


@pytest.mark.parametrize(
    ("words", "final"),
    [
        ('MountVolume.SetUp failed for volume "s" : secret "no-such-secret" not found', True),
        ('MountVolume.SetUp failed for volume "c" : configmap "settings" not found', True),
        ('MountVolume.SetUp failed for volume "s" : references non-existent secret key: k', True),
        ('MountVolume.SetUp failed for volume "d" : mount failed: exit status 32', False),
        ("Unable to attach or mount volumes: unmounted volumes=[d]: timed out", False),
    ],
)
def test_a_volume_whose_content_is_not_there_is_not_waited_for_again(
    words: str, final: bool
) -> None:
    wait = Wait("create", 0.0, f"FailedMount: {words}")
    exit = judge_late(wait, Waiting("create"), LIMITS).exit
    assert (exit.final, exit.machinery) == (final, not final)
    assert words in (exit.reason or "")


def test_a_node_that_cannot_mount_images_is_told_with_the_way_out() -> None:
    words = 'CreateContainerError: failed to generate spec: failed to mkdir "": no such file'
    exit = judge_late(Wait("config", 0.0, words), Waiting("config"), LIMITS).exit
    assert (exit.reason or "").endswith(f"{words}. {MOUNT_ADVICE}")
