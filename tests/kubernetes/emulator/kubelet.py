"""The scheduler and the kubelet of one node: takes each Pod from its creation to its end.

What becomes of a Pod is chosen by a function, by default by its variable FATE; see ``fate``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from emulator import podstatus
from emulator.claim import missing_claim
from emulator.clock import now_text
from emulator.podstatus import Outcome, Status
from emulator.refusal import bad_request
from emulator.runtime import Container, Runtime, StartFailed, variables_of
from emulator.store import Change, Key, Object, Store

NODE = "node-1"
CLAIM_SECONDS = 0.02
Fate = Callable[["Life", str], Awaitable[None]]


class Over(Exception):
    """Nothing more becomes of a Pod: its object is gone, or its end is written."""


@dataclass
class Life:
    """One Pod under the kubelet's eyes. ``is_lost``: with its node, so that nobody ends it."""

    kubelet: Kubelet
    key: Key
    uid: str
    container: Container | None = None
    started: str | None = None
    is_lost: bool = False
    told_to_stop: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pod(self) -> Object:
        """The Pod as it is now; Over if it, or the one of this uid, is not there."""
        found = self.kubelet.store.get(self.key)
        if found is None or found["metadata"]["uid"] != self.uid:
            raise Over
        return found

    def write(self, status: Status) -> None:
        """Update the status."""
        self.kubelet.store.put(self.key, {**self.pod, "status": status})

    def bind(self) -> None:
        """Do as the scheduler."""
        pod = self.pod
        spec = {**pod["spec"], "nodeName": NODE}
        status = podstatus.scheduled(pod)
        self.kubelet.store.put(self.key, {**pod, "spec": spec, "status": status})

    async def begin(self) -> None:
        """Schedule the Pod and let its container be created, but not started."""
        await self.kubelet.pause()
        while words := missing_claim(self.kubelet.store, self.pod):
            self.write(podstatus.unschedulable(self.pod, words))
            await asyncio.sleep(CLAIM_SECONDS)
        self.bind()
        await self.kubelet.pause()
        self.write(podstatus.waiting(self.pod, "ContainerCreating"))

    async def start(self) -> Container:
        """Start the container; a Pod whose container cannot be started is over."""
        self.kubelet.runs[self.key.name] += 1
        starting = asyncio.ensure_future(self.kubelet.runtime.start(self.pod))
        try:
            self.container = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # What is being started is there in the end, and has to be removed.
            self.container = await starting
            raise
        except StartFailed as error:
            self.write(podstatus.ended(self.pod, Outcome(128, "StartError", str(error))))
            raise Over from None
        self.started = now_text()
        self.write(podstatus.running(self.pod, self.started))
        return self.container

    async def end(self) -> None:
        """Wait for the container's end and write it down."""
        if self.container is not None:
            outcome = await self.container.ended()
            self.write(podstatus.ended(self.pod, outcome, self.started))

    def mark(self, grace_seconds: int, status: Status) -> None:
        """Begin to delete the Pod, as somebody who says why in its status."""
        metadata = {
            **self.pod["metadata"],
            "deletionTimestamp": now_text(grace_seconds),
            "deletionGracePeriodSeconds": grace_seconds,
        }
        self.kubelet.store.put(self.key, {**self.pod, "metadata": metadata, "status": status})

    def tell(self, reason: str, words: str) -> None:
        """Write an event about the Pod."""
        metadata = self.pod["metadata"]
        store, namespace = self.kubelet.store, metadata["namespace"]
        name = f"{self.key.name}.{store.revision}"
        involved = {"kind": "Pod", "namespace": namespace, "name": self.key.name, "uid": self.uid}
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "type": "Warning",
            "reason": reason,
            "message": words,
            "count": 1,
            "lastTimestamp": now_text(),
        }
        store.put(Key("events", namespace, name), event)

    def drop(self) -> None:
        """Remove the object."""
        metadata = self.pod["metadata"]
        self.kubelet.store.drop(Key("pods", metadata["namespace"], metadata["name"]))


class Kubelet:
    """Leads all Pods. ``runs`` counts how often the containers of each name were started."""

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        fates: dict[str, Fate],
        choose: Callable[[Object], str],
        pace_seconds: float = 0.0,
    ) -> None:
        self.store = store
        self.runtime = runtime
        self.pace_seconds = pace_seconds
        self.runs: Counter[str] = Counter()
        self._fates = fates
        self._choose = choose
        self._lives: dict[str, Life] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        store.follow(self._take)

    async def pause(self) -> None:
        """Take the time that a stage takes."""
        await asyncio.sleep(self.pace_seconds)

    async def log(self, pod: Object, query: dict[str, str]) -> bytes:
        """Give the log of a Pod's container, or say why there is none."""
        name = pod["metadata"]["name"]
        if not pod["spec"].get("nodeName"):
            raise bad_request(f"pod {name} does not have a host assigned")
        life = self._lives.get(pod["metadata"]["uid"])
        if life is None or life.container is None:
            container = pod["spec"]["containers"][0]["name"]
            raise bad_request(
                f'container "{container}" in pod "{name}" is waiting to start: {_why(pod)}'
            )
        text = await life.container.log()
        if "tailLines" in query:
            lines = text.splitlines(keepends=True)
            text = b"".join(lines[max(0, len(lines) - int(query["tailLines"])) :])
        return text[: int(query["limitBytes"])] if "limitBytes" in query else text

    async def close(self) -> None:
        """End all that runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for life in self._lives.values():
            if life.container is not None:
                await life.container.remove()

    def _take(self, change: Change) -> None:
        if change.key.resource != "pods":
            return
        metadata = change.object["metadata"]
        if change.kind == "ADDED":
            life = self._lives[metadata["uid"]] = Life(self, change.key, metadata["uid"])
            self._spawn(self._lead(life))
            return
        life = self._lives[metadata["uid"]]
        if change.kind == "DELETED":
            life.gone.set()
        elif "deletionTimestamp" in metadata:
            life.told_to_stop.set()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lead(self, life: Life) -> None:
        name, _, amount = self._choose(life.pod).partition(":")
        play = asyncio.create_task(_until_over(self._fates[name](life, amount)))
        stop = asyncio.create_task(_until_over(self._stop(life)))
        try:
            await life.gone.wait()
        finally:
            play.cancel()
            stop.cancel()
            await asyncio.gather(play, stop, return_exceptions=True)
            if life.container is not None:
                await life.container.remove()
            self._lives.pop(life.uid, None)

    async def _stop(self, life: Life) -> None:
        """End a Pod that is deleted: TERM, the grace, KILL, its end, and away with the object."""
        await life.told_to_stop.wait()
        if life.is_lost:
            return
        container = life.container
        grace = life.pod["metadata"].get("deletionGracePeriodSeconds", 0)
        if container is not None:
            await container.signal("SIGTERM")
            ending = asyncio.create_task(container.ended())
            try:
                await asyncio.wait([ending], timeout=grace)
                if not ending.done():
                    await container.signal("SIGKILL")
                outcome = await ending
            finally:
                ending.cancel()
            if not podstatus.ended_by_itself(life.pod["status"]):
                life.write(podstatus.ended(life.pod, outcome, life.started))
        life.drop()


def declared_fate(pod: Object) -> str:
    """Give the fate that the first container of a Pod has as a variable, by default "run"."""
    return str(variables_of(pod).get("FATE") or "run")


async def _until_over(work: Awaitable[None]) -> None:
    try:
        await work
    except Over:
        return


def _why(pod: Object) -> str:
    for item in (pod.get("status") or {}).get("containerStatuses") or ():
        reason = item["state"].get("waiting", {}).get("reason")
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            return "trying and failing to pull image"
        if reason:
            return str(reason)
    return "ContainerCreating"
