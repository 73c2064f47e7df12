"""What can become of a Pod: one function for each, by the name that the variable FATE has.

Each runs the stages of a real cluster in their order and with its words. A fate may be followed by
``:`` and what it takes, such as ``slow:0.2``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from emulator import podstatus
from emulator.kubelet import Life
from emulator.podstatus import Outcome

SOON = 0.03
GRACE = 1

NO_NODE = (
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
    "1 No preemption victims found for incoming pod."
)
LOW_MEMORY = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. Container "
    "task was using 300Mi, request is 64Mi, has larger consumption of memory. "
)
KILLED = Outcome(137, "Error")


async def run(life: Life, _: str) -> None:
    """Run to the container's own end."""
    await life.begin()
    await life.start()
    await life.end()


async def slow(life: Life, seconds: str) -> None:
    """As `run`, but every stage takes its time."""
    await asyncio.sleep(float(seconds))
    await life.begin()
    await asyncio.sleep(float(seconds))
    await life.start()
    await life.end()


async def crawling(life: Life, seconds: str) -> None:
    """The container has ended long before the kubelet says so."""
    await life.begin()
    container = await life.start()
    await container.ended()
    await asyncio.sleep(float(seconds))
    await life.end()


async def unschedulable(life: Life, _: str) -> None:
    """No node fits, for good."""
    life.write(podstatus.unschedulable(life.pod, NO_NODE))
    life.tell("FailedScheduling", NO_NODE)


async def unschedulable_first(life: Life, seconds: str) -> None:
    """No node fits until a new one comes."""
    await unschedulable(life, "")
    await asyncio.sleep(float(seconds or SOON))
    await run(life, "")


async def pull_error(life: Life, words: str) -> None:
    """The image can't be pulled, and the kubelet keeps trying."""
    await life.begin()
    while True:
        await _fail_to_pull(life, words)


async def pull_error_first(life: Life, _: str) -> None:
    """The registry is away for a moment."""
    await life.begin()
    await _fail_to_pull(life, "dial tcp: i/o timeout")
    await life.start()
    await life.end()


async def _fail_to_pull(life: Life, words: str) -> None:
    image = life.pod["spec"]["containers"][0]["image"]
    said = (
        f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
        f"{words or f'{image}: not found'}"
    )
    is_missing = said.endswith("not found")
    said = f"rpc error: code = {'NotFound' if is_missing else 'Unknown'} desc = {said}"
    life.write(podstatus.waiting(life.pod, "ErrImagePull", said))
    life.tell("Failed", f'Failed to pull image "{image}": {said}')
    await asyncio.sleep(SOON)
    back = f'Back-off pulling image "{image}": ErrImagePull: {said}'
    life.write(podstatus.waiting(life.pod, "ImagePullBackOff", back))
    await asyncio.sleep(SOON)


async def never_pulled(life: Life, _: str) -> None:
    """The image is not on the node, and may not be pulled."""
    image = life.pod["spec"]["containers"][0]["image"]
    words = f'Container image "{image}" is not present with pull policy of Never'
    await _wait_for_ever(life, "ErrImageNeverPull", words)


async def invalid_image_name(life: Life, _: str) -> None:
    """The image's name is none."""
    image = life.pod["spec"]["containers"][0]["image"]
    words = (
        f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
        "invalid reference format"
    )
    await _wait_for_ever(life, "InvalidImageName", words)


async def config_error(life: Life, words: str) -> None:
    """What the container's environment is made of is not there."""
    await _wait_for_ever(life, "CreateContainerConfigError", words or 'secret "keys" not found')


async def create_error(life: Life, _: str) -> None:
    """The runtime can't create the container."""
    words = "failed to generate container spec: path /x is mounted on / but it is not shared"
    await _wait_for_ever(life, "CreateContainerError", words)


async def stuck(life: Life, _: str) -> None:
    """The container is being created, for ever: a volume can't be mounted."""
    await life.begin()
    life.tell("FailedMount", 'MountVolume.SetUp failed for volume "data": timed out')


async def _wait_for_ever(life: Life, reason: str, words: str) -> None:
    await life.begin()
    life.write(podstatus.waiting(life.pod, reason, words))
    life.tell("Failed", f"Error: {words}")


async def init_pull_error(life: Life, _: str) -> None:
    """The image of the init container can't be pulled."""
    await life.begin()
    words = 'Back-off pulling image "agent": ErrImagePull: not found'
    life.write(podstatus.waiting(life.pod, "ImagePullBackOff", words, init=True))


async def start_error(life: Life, _: str) -> None:
    """The container's command is not there."""
    await life.begin()
    words = (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        'runc create failed: unable to start container process: exec: "/agent": stat /agent: '
        "no such file or directory: unknown"
    )
    life.write(podstatus.ended(life.pod, Outcome(128, "StartError", words)))


async def oom(life: Life, _: str) -> None:
    """The kernel kills the container, and the kubelet knows why."""
    await _run_a_moment(life)
    life.write(podstatus.ended(life.pod, Outcome(137, "OOMKilled"), life.started))


async def oom_late(life: Life, _: str) -> None:
    """As `oom`, but why is known only a moment after the end."""
    await _run_a_moment(life)
    life.write(podstatus.ended(life.pod, Outcome(137, ""), life.started))
    await asyncio.sleep(SOON)
    life.write(podstatus.ended(life.pod, Outcome(137, "OOMKilled"), life.started))


async def evicted(life: Life, words: str) -> None:
    """The kubelet needs the memory of the node."""
    await _run_a_moment(life)
    said = words or LOW_MEMORY
    disrupted = podstatus.disrupted(life.pod, "TerminationByKubelet", said)
    pod = {**life.pod, "status": disrupted}
    life.write(podstatus.failed(pod, "Evicted", said, KILLED))


async def disk_full(life: Life, _: str) -> None:
    """The task has written more than it may: an eviction that is its own fault."""
    await _run_a_moment(life)
    words = 'Container task exceeded its local ephemeral storage limit "1Gi". '
    life.write(podstatus.failed(life.pod, "Evicted", words, KILLED))


async def preempted(life: Life, _: str) -> None:
    """The scheduler needs the place for somebody more important."""
    await _run_a_moment(life, kill=False)
    words = "default-scheduler: preempting to accommodate a higher priority pod"
    life.mark(GRACE, podstatus.disrupted(life.pod, "PreemptionByScheduler", words))


async def drained(life: Life, _: str) -> None:
    """An operator drains the node."""
    await _run_a_moment(life, kill=False)
    words = "Eviction API: evicting"
    life.mark(GRACE, podstatus.disrupted(life.pod, "EvictionByEvictionAPI", words))


async def node_lost(life: Life, grace: str) -> None:
    """The node answers no more: its Pods are deleted, and nobody is there to end them."""
    await _run_a_moment(life, kill=False)
    life.is_lost = True
    pod = {**life.pod, "status": {**life.pod["status"], "reason": "NodeLost"}}
    words = "Taint manager: deleting due to NoExecute taint"
    life.mark(int(grace or GRACE), podstatus.disrupted(pod, "DeletionByTaintManager", words))


async def node_gone(life: Life, _: str) -> None:
    """The node's object is gone, and the Pod is collected."""
    await _run_a_moment(life, kill=False)
    words = "PodGC: node no longer exists"
    life.is_lost = True
    disrupted = podstatus.disrupted(life.pod, "DeletionByPodGC", words)
    life.write({**disrupted, "phase": "Failed"})
    life.drop()


async def node_shutdown(life: Life, _: str) -> None:
    """The node is shut down in order, as spot nodes are."""
    await _run_a_moment(life)
    words = "Pod was terminated in response to imminent node shutdown."
    pod = {**life.pod, "status": podstatus.disrupted(life.pod, "TerminationByKubelet", words)}
    life.write(podstatus.failed(pod, "Terminated", words, KILLED))


async def node_rebooted(life: Life, _: str) -> None:
    """The kubelet comes back and finds no container."""
    await _run_a_moment(life)
    words = "The container could not be located when the pod was terminated"
    outcome = Outcome(137, "ContainerStatusUnknown", words)
    life.write(podstatus.ended(life.pod, outcome, life.started))


async def rejected(life: Life, _: str) -> None:
    """The kubelet does not take what the scheduler gives it."""
    life.bind()
    words = (
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 100, used: 8000, "
        "capacity: 8000"
    )
    life.write(podstatus.failed(life.pod, "OutOfcpu", words))


async def deadline(life: Life, _: str) -> None:
    """The Pod has been active for longer than it may."""
    await _run_a_moment(life)
    words = "Pod was active on the node longer than the specified deadline"
    life.write(podstatus.failed(life.pod, "DeadlineExceeded", words, KILLED))


async def deleted(life: Life, grace: str) -> None:
    """Somebody deletes the Pod, and its containers are ended first."""
    await _run_a_moment(life, kill=False)
    life.mark(int(grace or GRACE), life.pod["status"])


async def vanished(life: Life, _: str) -> None:
    """Somebody deletes the Pod by force while it runs."""
    await _run_a_moment(life, kill=False)
    life.drop()


async def vanished_pending(life: Life, _: str) -> None:
    """Somebody deletes the Pod before it is scheduled."""
    await asyncio.sleep(SOON)
    life.drop()


async def _run_a_moment(life: Life, *, kill: bool = True) -> None:
    await life.begin()
    container = await life.start()
    await asyncio.sleep(SOON)
    if kill:
        await container.signal("SIGKILL")


_ALL: tuple[Callable[[Life, str], Awaitable[None]], ...] = (
    *(run, slow, crawling, unschedulable, unschedulable_first, pull_error, pull_error_first),
    *(never_pulled, invalid_image_name, config_error, create_error, stuck, init_pull_error),
    *(start_error, oom, oom_late, evicted, disk_full, preempted, drained, node_lost, node_gone),
    *(node_shutdown, node_rebooted, rejected, deadline, deleted, vanished, vanished_pending),
)
FATES = {fate.__name__: fate for fate in _ALL}
