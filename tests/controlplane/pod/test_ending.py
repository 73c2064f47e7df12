"""What the state of a Pod means: the words and whose fault it is, one line for each way to end."""

from __future__ import annotations

from typing import Any

import pytest
from fakecalls import condition, pod_status, running, terminated, waiting
from hypothesis import given
from hypothesis import strategies as st
from judgedpod import disrupted, lost, make_view, never
from leoflow_controlplane.pod.ending import (
    Over,
    Running,
    Waiting,
    judge,
    judge_gone,
)
from leoflow_controlplane.pod.slim import PodView
from leoflow_controlplane.verdict import Exit

NODE_IS_LOW = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. "
    "Container task was using 300Mi, request is 100Mi, has larger consumption of memory. "
)


def init(state: dict[str, Any]) -> dict[str, Any]:
    """Give what is in the status of a Pod whose init container is in ``state``."""
    return {"initContainerStatuses": [{"name": "leoflow-agent", "state": state}]}


ENDS: dict[str, tuple[dict[str, Any], Exit]] = {
    "succeeded": (pod_status("Succeeded", terminated(0)), Exit(0)),
    "succeeded, not told of its container": (pod_status("Succeeded"), Exit(0)),
    "ended, not told of its Pod": (pod_status("Running", terminated(3)), Exit(3)),
    "exit code": (pod_status("Failed", terminated(3)), Exit(3)),
    "out of memory": (pod_status("Failed", terminated(137, "OOMKilled")), Exit(137, True)),
    "out of memory in a child": (
        pod_status("Succeeded", terminated(0, "OOMKilled")),
        Exit(0, True),
    ),
    "evicted, the node being low": (
        pod_status("Failed", terminated(143), reason="Evicted", message=NODE_IS_LOW),
        lost("evicted", f"its Pod was evicted from its node: {NODE_IS_LOW.strip()}"),
    ),
    "evicted, its own disk being full": (
        pod_status(
            "Failed",
            reason="Evicted",
            message='Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". ',
        ),
        Exit(
            None,
            reason="its Pod was evicted for using more disk than it may: Usage of EmptyDir volume "
            '"tmp" exceeds the limit "1Gi". Raise resources.limits.ephemeral_storage of the task '
            "in leoflow.yaml.",
        ),
    ),
    "evicted as it succeeded": (
        pod_status("Failed", terminated(0), reason="Evicted", message=NODE_IS_LOW),
        Exit(0),
    ),
    "preempted": (
        pod_status("Failed", terminated(143), **disrupted("PreemptionByScheduler", "by pod x")),
        lost("preempted", "its Pod was preempted by a Pod of higher priority: by pod x"),
    ),
    "drained": (
        pod_status("Failed", terminated(125), **disrupted("EvictionByEvictionAPI")),
        lost("evicted", "its Pod was evicted from its node, as when a node is drained"),
    ),
    "disrupted for a reason of tomorrow": (
        pod_status("Failed", terminated(1), **disrupted("EvictionByMoon", "it is full")),
        lost("evicted", "its Pod was taken away (EvictionByMoon): it is full"),
    ),
    "node shut down": (
        pod_status(
            "Failed",
            terminated(143),
            reason="Terminated",
            message="Pod was terminated in response to imminent node shutdown.",
        ),
        lost(
            "node",
            "its Pod was ended because its node shuts down: Pod was terminated in response to "
            "imminent node shutdown.",
        ),
    ),
    "node lost": (
        pod_status("Failed", reason="NodeLost", message="Node n1 is unresponsive"),
        lost("node", "its Pod lost its node, which does not answer: Node n1 is unresponsive"),
    ),
    "container lost": (
        pod_status("Failed", terminated(137, "ContainerStatusUnknown", "could not be located")),
        lost("node", "its node has lost its container: could not be located"),
    ),
    "refused by its node": (
        pod_status("Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu"),
        lost("node", "its node refused its Pod (OutOfcpu): Node didn't have enough resource: cpu"),
    ),
    "deadline exceeded": (
        pod_status(
            "Failed",
            terminated(143),
            reason="DeadlineExceeded",
            message="Pod was active on the node longer than the specified deadline",
        ),
        Exit(
            None,
            reason="its Pod ran longer than its activeDeadlineSeconds: Pod was active on the node "
            "longer than the specified deadline",
        ),
    ),
    "not startable": (
        pod_status("Failed", terminated(128, "StartError", "exec: /x: no such file")),
        never("its container could not be started: StartError: exec: /x: no such file"),
    ),
    "init container failed": (
        pod_status("Pending", waiting("PodInitializing"), **init(terminated(2, message="no room"))),
        Exit(
            None,
            reason="init container 'leoflow-agent' of its Pod failed with exit code 2: Error: no "
            "room",
        ),
    ),
    "failed without a word": (
        pod_status("Failed"),
        lost("launch", "its Pod failed before its container was started"),
    ),
}


@pytest.mark.parametrize(("status", "exit"), ENDS.values(), ids=ENDS.keys())
def test_an_end_has_the_cluster_s_words(status: dict[str, Any], exit: Exit) -> None:
    over = judge(make_view(status))
    assert isinstance(over, Over)
    assert over.exit == exit
    assert judge_gone(make_view(status)) == over


NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."
UNSCHEDULED = {"conditions": [condition("PodScheduled", "False", "Unschedulable", NO_ROOM)]}
NOT_FOUND = 'failed to resolve reference "reg/x": reg/x: not found'
TIMEOUT = 'failed to pull "reg/x": dial tcp: i/o timeout'
WAITS: dict[str, tuple[dict[str, Any], str | None, Waiting]] = {
    "for the scheduler": (pod_status("Pending"), None, Waiting("schedule")),
    "for room": (pod_status("Pending", **UNSCHEDULED), None, Waiting("schedule", NO_ROOM)),
    "for the kubelet": (pod_status("Pending"), "n1", Waiting("create")),
    "for its container": (
        pod_status("Pending", waiting("ContainerCreating")),
        "n1",
        Waiting("create"),
    ),
    "for its init container": (
        pod_status("Pending", waiting("PodInitializing"), **init(running())),
        "n1",
        Waiting("create"),
    ),
    "for a registry": (
        pod_status("Pending", waiting("ErrImagePull", TIMEOUT)),
        "n1",
        Waiting("pull", f"ErrImagePull: {TIMEOUT}"),
    ),
    "for an image that is not there": (
        pod_status("Pending", waiting("ImagePullBackOff", NOT_FOUND)),
        "n1",
        Waiting("pull", f"ImagePullBackOff: {NOT_FOUND}", hopeless=True),
    ),
    "for a registry that was asked before": (
        pod_status(
            "Pending", waiting("ImagePullBackOff", f'Back-off "x": ErrImagePull: {TIMEOUT}')
        ),
        "n1",
        Waiting("pull", f"ErrImagePull: {TIMEOUT}"),
    ),
    "for a name server that is away": (
        pod_status("Pending", waiting("ErrImagePull", "lookup reg: no such host: not found")),
        "n1",
        Waiting("pull", "ErrImagePull: lookup reg: no such host: not found"),
    ),
    "for the agent's image": (
        pod_status(
            "Pending",
            waiting("PodInitializing"),
            **init(waiting("ErrImageNeverPull", "absent")),
        ),
        "n1",
        Waiting("pull", "ErrImageNeverPull: absent", hopeless=True),
    ),
    "for a name of its image that makes sense": (
        pod_status("Pending", waiting("InvalidImageName", "couldn't parse")),
        "n1",
        Waiting("name", "InvalidImageName: couldn't parse"),
    ),
    "for a secret": (
        pod_status("Pending", waiting("CreateContainerConfigError", 'secret "s" not found')),
        "n1",
        Waiting("config", 'CreateContainerConfigError: secret "s" not found'),
    ),
}


@pytest.mark.parametrize(("status", "node", "expected"), WAITS.values(), ids=WAITS.keys())
def test_what_does_not_run_yet_waits_in_a_stage(
    status: dict[str, Any], node: str | None, expected: Waiting
) -> None:
    assert judge(make_view(status, node=node)) == expected


@pytest.mark.parametrize(
    ("answer", "hopeless"),
    [
        ("pulling from host r:1 failed with status code [manifests 1]: 401 Unauthorized", True),
        ("pulling from host r:1 failed with status code [manifests 1]: 403 Forbidden", True),
        ("r:1/x:1: not found", True),
        (
            "pulling from host r:1 failed with status code [manifests 1]: 429 Too Many Requests",
            False,
        ),
        ("pulling from host r:1 failed with status code [manifests 1]: 500 Internal", False),
        ('failed to do request: Head "http://r:1/v2": connect: connection refused', False),
        (
            'failed to do request: Head "https://r:1/v2/x/manifests/1": tls: failed to verify '
            "certificate: x509: certificate signed by unknown authority",
            True,
        ),
        (
            'failed to do request: Head "https://r:1/v2/x/manifests/1": http: server gave HTTP '
            "response to HTTPS client",
            True,
        ),
    ],
)
def test_what_containerd_says_of_a_registry_is_final_or_passes(answer: str, hopeless: bool) -> None:
    words = f'failed to pull and unpack image "r:1/x:1": failed to resolve reference: {answer}'
    standing = judge(make_view(pod_status("Pending", waiting("ErrImagePull", words)), node="n1"))
    assert standing == Waiting("pull", f"ErrImagePull: {words}", hopeless)


def test_a_container_that_runs_is_let_run() -> None:
    view = make_view(pod_status("Running", running()))
    assert view.task is not None
    assert judge(view) == Running(view.task.started_at)
    # Its node does not answer at the moment, and the cluster waits for it.
    assert isinstance(judge(view._replace(phase="Unknown")), Running)


def test_a_sidecar_that_runs_keeps_nobody_waiting() -> None:
    status = pod_status("Running", running())
    status["initContainerStatuses"] = [{"name": "mesh", "state": running()}]
    spec = {
        "nodeName": "n1",
        "containers": [{"name": "task"}],
        "initContainers": [{"name": "mesh", "restartPolicy": "Always"}],
    }
    pod = {"metadata": {"name": "p"}, "spec": spec, "status": status}
    assert isinstance(judge(PodView.of(pod)), Running)


def test_instants_are_those_of_the_container() -> None:
    over = judge(make_view(pod_status("Failed", terminated(1))))
    assert isinstance(over, Over)
    assert over.started_at is not None
    assert over.ended_at == over.started_at + 1


states = st.one_of(
    st.none(),
    st.builds(waiting, st.sampled_from(["", "ContainerCreating", "ErrImagePull"]), st.text()),
    st.builds(running),
    st.builds(terminated, st.integers(0, 255), st.sampled_from(["", "OOMKilled", "Odd"])),
)
conditions = st.lists(
    st.builds(
        condition,
        st.sampled_from(["PodScheduled", "DisruptionTarget", "Odd"]),
        st.sampled_from(["True", "False", "Unknown"]),
        st.text(max_size=5),
        st.text(max_size=5),
    )
)
statuses = st.builds(
    pod_status,
    st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    states,
    reason=st.sampled_from(["", "Evicted", "NodeLost", "Odd"]),
    message=st.text(max_size=5),
    conditions=conditions,
)


@given(statuses, st.booleans())
def test_whatever_a_cluster_tells_is_judged(status: dict[str, Any], deleting: bool) -> None:
    view = make_view(status, deleting=deleting)
    standing, gone = judge(view), judge_gone(view)
    if status["phase"] in ("Succeeded", "Failed"):
        assert isinstance(standing, Over)
    if isinstance(standing, Over):
        assert gone == standing
        # An end without a code has words.
        assert standing.exit.code is not None or standing.exit.reason
        assert not (standing.exit.machinery and standing.exit.final)
    else:
        assert gone.exit.machinery
