"""What is made of a Pod that is deleted, evicted, or gone with its node."""

from __future__ import annotations

from typing import Any

import pytest
from fakecalls import pod_status, running, terminated
from judgedpod import disrupted, lost, make_view
from leoflow_controlplane.pod.ending import (
    Over,
    Waiting,
    judge,
    judge_gone,
    judge_unreachable,
)
from leoflow_controlplane.verdict import Exit


def test_a_pod_that_is_deleted_leaves_whatever_it_does() -> None:
    status = pod_status("Running", running(), **disrupted("DeletionByTaintManager", "taint x"))
    standing = judge(make_view(status, deleting=True))
    assert standing == Waiting(
        "leave",
        "its Pod lost its node, which does not answer or was given a taint: taint x",
    )


@pytest.mark.parametrize(
    ("status", "stopped", "exit"),
    [
        (
            pod_status("Running", running()),
            False,
            lost("deleted", "its Pod was deleted by somebody while it ran"),
        ),
        (
            pod_status("Pending"),
            False,
            lost("deleted", "its Pod was deleted by somebody while it had not started yet"),
        ),
        (
            pod_status("Running", running(), **disrupted("PreemptionByScheduler")),
            False,
            lost("preempted", "its Pod was preempted by a Pod of higher priority"),
        ),
        (pod_status("Running", running()), True, Exit(None, reason="it was stopped")),
        (pod_status("Running", terminated(143)), True, Exit(143)),
        (
            pod_status("Running", terminated(143), **disrupted("EvictionByEvictionAPI")),
            True,
            Exit(143),
        ),
    ],
)
def test_a_pod_that_is_gone_is_judged_by_what_was_seen_last(
    status: dict[str, Any], stopped: bool, exit: Exit
) -> None:
    assert judge_gone(make_view(status), stopped=stopped).exit == exit


@pytest.mark.parametrize("code", [125, 137, 143])
def test_who_is_told_to_end_by_others_is_not_at_fault(code: int) -> None:
    view = make_view(pod_status("Running", terminated(code)), deleting=True)
    over = judge(view)
    assert isinstance(over, Over)
    text = "its Pod was deleted by somebody while it ran"
    assert over.exit == lost("deleted", text)._replace(code=code)
    stopped = judge(view, stopped=True)
    assert isinstance(stopped, Over)
    assert stopped.exit == Exit(code)


UNKNOWN = terminated(
    137,
    "ContainerStatusUnknown",
    "The container could not be located when the pod was terminated",
)


@pytest.mark.parametrize(
    ("more", "stopped", "exit"),
    [
        (
            disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
            False,
            lost(
                "evicted",
                "its Pod was evicted from its node, as when a node is drained: Eviction API: "
                "evicting",
            ),
        ),
        ({}, False, lost("deleted", "its Pod was deleted by somebody")),
        ({}, True, Exit(None, reason="it was stopped")),
    ],
)
def test_a_pod_that_is_taken_away_before_its_container_is_made_says_why(
    more: dict[str, Any], stopped: bool, exit: Exit
) -> None:
    over = judge(make_view(pod_status("Failed", UNKNOWN, **more), deleting=True), stopped=stopped)
    assert isinstance(over, Over)
    assert over.exit == exit


def test_what_a_task_ends_with_by_itself_is_its_own_whoever_deletes_it_meanwhile() -> None:
    over = judge(make_view(pod_status("Running", terminated(3)), deleting=True))
    assert isinstance(over, Over)
    assert over.exit == Exit(3)


def test_a_node_that_does_not_let_go_is_named() -> None:
    status = pod_status("Running", running(), **disrupted("DeletionByTaintManager", "taint x"))
    over = judge_unreachable(make_view(status, deleting=True))
    assert over.exit == lost("node", "its Pod lost its node 'n1', which does not answer: taint x")
