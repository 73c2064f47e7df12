"""How Pods end on a real cluster, in its own words, and as whose fault, as far as a namespace is
enough for it. Run by `make test-kubernetes`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from clusterground import PROGRAM, Dressed, Ground, calls_of, opened, post
from executor_contract import end_of, make_launch, run_one, start_and_await
from leoflow_agent.podoption import PodOptions
from leoflow_agent.spec import Quantities, Resources
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.protocol import Limits
from leoflow_controlplane.pod.ending import Over, judge
from leoflow_controlplane.pod.name import pod_name
from leoflow_controlplane.pod.slim import PodView
from leoflow_controlplane.verdict import Exit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MIB = 1024**2
LIMITS = Limits(start_timeout_seconds=20.0, schedule_timeout_seconds=15.0, quota_wait_seconds=1.0)


@pytest.fixture
async def made(ground: Ground, tmp_path: Path) -> AsyncIterator[Dressed]:
    async with opened(ground, tmp_path / "home", limits=LIMITS) as executor:
        yield executor


def overriding(spec: dict[str, Any], **container: Any) -> PodOptions:
    """Override a Pod that runs the program."""
    task = {"name": "task", "command": ["python3", "-u", "-c", PROGRAM], **container}
    return PodOptions(pod_override={"spec": {"containers": [task], **spec}})


def name_of(made: Dressed, launch: Any) -> str:
    return pod_name(launch.key, made.executor._place.realm_id)


NO_KEYS = {"secret": {"secretName": "leoflow-no-such-keys"}}
NOT_MADE: dict[str, tuple[PodOptions, str]] = {
    "a secret for a variable": (
        overriding({}, envFrom=[{"secretRef": {"name": "leoflow-no-such-keys"}}]),
        'CreateContainerConfigError: secret "leoflow-no-such-keys" not found',
    ),
    "a secret for a volume": (
        overriding(
            {"volumes": [{"name": "keys", **NO_KEYS}]},
            volumeMounts=[{"name": "keys", "mountPath": "/keys"}],
        ),
        'secret "leoflow-no-such-keys" not found',
    ),
    "a claim": (
        overriding(
            {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "leoflow-none"}}]},
        ),
        'persistentvolumeclaim "leoflow-none" not found',
    ),
    "a program": (overriding({}, command=["/no/such/program"]), "no such file or directory"),
    "a name of an image": (overriding({}, image="No Such Image"), "InvalidImageName"),
    "an image that may be pulled": (
        overriding({}, image="leoflow/no-such-image:1", imagePullPolicy="Never"),
        "ErrImageNeverPull",
    ),
}


@pytest.mark.parametrize(("options", "words"), NOT_MADE.values(), ids=NOT_MADE.keys())
async def test_what_a_pod_lacks_is_told_and_not_tried_again(
    made: Dressed, ground: Ground, options: PodOptions, words: str
) -> None:
    launch = make_launch("exit:0", kubernetes=options)
    await made.start(launch)
    exit = (await end_of(made)).exit
    async with calls_of(ground) as calls:
        pod = await calls.get_pod(name_of(made, launch))
    # Nothing is told while a Pod is there that another try might run beside.
    assert pod is None or isinstance(judge(PodView.of(pod)), Over)
    assert (exit.code, exit.final, exit.machinery) == (None, True, False), exit.reason
    assert words in (exit.reason or "")
    await made.remove(launch.key)


REFUSED: dict[str, tuple[PodOptions, str]] = {
    "by the Pod Security Standard": (
        overriding({}, securityContext={"privileged": True, "allowPrivilegeEscalation": True}),
        'violates PodSecurity "restricted:latest"',
    ),
    "for a field that is unknown": (
        overriding({"nodeSelektor": {"a": "b"}}),
        'unknown field "spec.nodeSelektor"',
    ),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_the_cluster_refuses_is_known_before_and_told(
    made: Dressed, options: PodOptions, words: str
) -> None:
    launch = make_launch("exit:0", kubernetes=options)
    assert words in (await made.find_refusal(made.dress(launch)) or "")
    with pytest.raises(LaunchFailed, match="the cluster refused its Pod") as caught:
        await made.start(launch)
    assert words in caught.value.reason
    assert not caught.value.transient


async def test_a_pod_that_is_evicted_is_the_machinery_s(made: Dressed, ground: Ground) -> None:
    launch = make_launch("sleep")
    await start_and_await(made, launch)
    async with calls_of(ground) as calls:
        name = name_of(made, launch)
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        await post(calls, f"/api/v1/namespaces/{calls.namespace}/pods/{name}/eviction", body)
    exit = (await end_of(made)).exit
    assert (exit.machinery, exit.loss) == (True, "evicted")
    assert "was evicted from its node" in (exit.reason or "")


async def test_a_pod_that_is_forgotten_is_the_machinery_s(made: Dressed, ground: Ground) -> None:
    launch = make_launch("sleep")
    await start_and_await(made, launch)
    async with calls_of(ground) as calls:
        await calls.delete_pod(name_of(made, launch), 0)
    reason = "its Pod was deleted by somebody while it ran"
    assert (await end_of(made)).exit == Exit(None, reason=reason, machinery=True, loss="deleted")


async def test_a_deadline_of_a_pod_is_told(made: Dressed) -> None:
    options = overriding({"activeDeadlineSeconds": 3})
    exit = (await run_one(made, make_launch("sleep", kubernetes=options))).exit
    assert not exit.machinery
    assert "longer than its activeDeadlineSeconds" in (exit.reason or "")


async def test_disk_beyond_its_own_limit_is_the_task_s(made: Dressed) -> None:
    some = Quantities(100, 64 * MIB, 10 * MIB)
    resources = Resources(some, Quantities(None, None, 10 * MIB))
    exit = (await run_one(made, make_launch("fill:30", resources=resources))).exit
    assert not exit.machinery
    assert "Raise resources.limits.ephemeral_storage" in (exit.reason or "")


QUOTAS: dict[str, tuple[str, dict[str, Any], str]] = {
    "a quota": ("ResourceQuota", {"hard": {"pods": "0"}}, "exceeded quota: leoflow-test"),
    "a limit range": (
        "LimitRange",
        {"limits": [{"type": "Container", "min": {"cpu": "2"}}]},
        "minimum cpu usage per Container is 2",
    ),
}


@pytest.mark.parametrize(("kind", "spec", "words"), QUOTAS.values(), ids=QUOTAS.keys())
async def test_what_a_namespace_has_no_room_for_is_told(
    made: Dressed, ground: Ground, kind: str, spec: dict[str, Any], words: str
) -> None:
    async with calls_of(ground) as calls:
        path = f"/api/v1/namespaces/{calls.namespace}/{kind.lower()}s"
        thing = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "leoflow-test"}}
        await post(calls, path, {**thing, "spec": spec})
        try:
            with pytest.raises(LaunchFailed) as caught:
                await start_some(made)
        finally:
            await calls._connection.ask("DELETE", f"{path}/leoflow-test")
    assert words in caught.value.reason
    assert not caught.value.transient


async def start_some(made: Dressed) -> None:
    """Start tries for a while: admission learns of a limit a moment after it was made."""
    for number in range(100):
        await run_one(made, make_launch("exit:0", number))
