"""A cluster in memory behind `Calls`: what a test does to it is told to whoever watches."""

from __future__ import annotations

import asyncio
import copy
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from leoflow_controlplane.executor.cluster.calls import OPENED, Event, Object, Page
from leoflow_controlplane.executor.cluster.fault import (
    AlreadyThere,
    Away,
    CallFailed,
    Gone,
    Moved,
)
from leoflow_controlplane.executor.cluster.permission import Right

CREATED = "2026-01-01T00:00:00Z"
STARTED, ENDED = "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """Give the state of a container that waits."""
    return {"waiting": {"reason": reason, "message": message}}


def running() -> dict[str, Any]:
    """Give the state of a container that runs."""
    return {"running": {"startedAt": STARTED}}


def terminated(code: int, reason: str = "", message: str = "") -> dict[str, Any]:
    """Give the state of a container that has ended."""
    said = reason or ("Error" if code else "Completed")
    return {
        "terminated": {
            "exitCode": code,
            "reason": said,
            "message": message,
            "startedAt": STARTED,
            "finishedAt": ENDED,
        }
    }


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    """Give a condition of a Pod."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def pod_status(phase: str, state: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Give the status of a Pod whose container is in ``state``."""
    statuses = [] if state is None else [{"name": "task", "state": dict(state)}]
    return {"phase": phase, "containerStatuses": statuses, **fields}


class FakeCluster:
    """One namespace. ``faults`` are raised by the calls of a name, one by each; ``before`` is done
    before the next call of a name is."""

    def __init__(self) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.claims: dict[str, dict[str, Any]] = {}
        self.daemon_sets: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[Object]] = {}
        self.logs: dict[str, str] = {}
        self.faults: defaultdict[str, deque[CallFailed]] = defaultdict(deque)
        self.denied: set[Right] = set()
        self.before: dict[str, Callable[[], object]] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.page_size = 50
        # Whose Pods stay when they are asked to end, for their node does not answer.
        self.deaf: set[str] = set()
        self.mute = False
        # A field of a Pod's spec that is left out of what is created.
        self.drops = ""
        self._version = 0
        self._history: list[tuple[int, str, dict[str, Any]]] = []
        self._news = asyncio.Event()
        self._oldest = 0

    @property
    def watches(self) -> int:
        """How many watches have been begun."""
        return sum(call[0] == "watch_pods" for call in self.asked)

    def play(self, name: str, status: Mapping[str, Any], node: str | None = "n1") -> None:
        """Let the kubelet tell the status of a Pod."""
        pod = self.pods[name]
        pod["status"] = copy.deepcopy(dict(status))
        if node is not None:
            pod["spec"]["nodeName"] = node
        self._tell("MODIFIED", pod)

    def vanish(self, name: str) -> None:
        """Let a Pod be gone."""
        self._tell("DELETED", self.pods.pop(name))

    def unlabel(self, name: str) -> None:
        """Take the labels from a Pod: who watches it by them is told that it is gone."""
        self._tell("DELETED", copy.deepcopy(self.pods[name]))
        self.pods[name]["metadata"] |= {"labels": {}, "resourceVersion": str(self._version)}

    def forget_history(self) -> None:
        """Let all versions so far be too old to watch from, as after a compaction."""
        self._oldest = self._version

    def cut(self) -> None:
        """End all watches, as a server that restarts does."""
        self.faults["watching"].append(Away("the connection was closed"))
        self._wake()

    def put(self, body: Object) -> dict[str, Any]:
        """Store a Pod."""
        pod: dict[str, Any] = copy.deepcopy(dict(body))
        name = pod["metadata"]["name"]
        pod["metadata"] |= {"uid": f"uid-{self._version}", "creationTimestamp": CREATED}
        pod.setdefault("spec", {})
        pod["status"] = {"phase": "Pending"}
        self.pods[name] = pod
        self._tell("ADDED", pod)
        return pod

    def check(self, call: str, *arguments: Any) -> None:
        """Note a call, and fail it if that is its fate."""
        self.asked.append((call, *arguments))
        self.before.pop(call, lambda: None)()
        if self.faults[call]:
            raise self.faults[call].popleft()

    def page(self, selector: str, rest: str) -> Page:
        """Give a page of Pods."""
        names = sorted(name for name, pod in self.pods.items() if _matches(pod, selector))
        begin = int(rest or 0)
        end = begin + self.page_size
        items = [copy.deepcopy(self.pods[name]) for name in names[begin:end]]
        return Page(items, str(self._version), str(end) if end < len(names) else "")

    async def tell_from(self, selector: str, version: str) -> AsyncIterator[Event]:
        """Tell what happened after ``version`` and what happens."""
        seen = int(version)
        if seen < self._oldest:
            raise Gone("too old resource version")
        yield Event(OPENED, {})
        while True:
            news = self._news
            for number, kind, pod in self._history:
                if number > seen and not self.mute:
                    seen = number
                    if _matches(pod, selector):
                        yield Event(kind, pod)
            if self.faults["watching"]:
                raise self.faults["watching"].popleft()
            await news.wait()

    def _tell(self, kind: str, pod: dict[str, Any]) -> None:
        self._version += 1
        pod["metadata"]["resourceVersion"] = str(self._version)
        self._history.append((self._version, kind, copy.deepcopy(pod)))
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class FakeCalls:
    """`Calls` of a FakeCluster."""

    namespace = "runs"

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    async def create_pod(self, body: Object, *, dry_run: bool = False) -> Object:
        """Create a Pod."""
        name = body["metadata"]["name"]
        self._cluster.check("create_pod", name)
        if name in self._cluster.pods:
            raise AlreadyThere(f'pods "{name}" already exists')
        if dry_run:
            spec = {key: value for key, value in body["spec"].items() if key != self._cluster.drops}
            return {**body, "spec": spec}
        return copy.deepcopy(self._cluster.put(body))

    async def get_pod(self, name: str) -> Object | None:
        """Read a Pod."""
        self._cluster.check("get_pod", name)
        return copy.deepcopy(self._cluster.pods.get(name))

    async def list_pods(self, selector: str, rest: str = "") -> Page:
        """Read a page of Pods."""
        self._cluster.check("list_pods", rest)
        return self._cluster.page(selector, rest)

    async def watch_pods(self, selector: str, version: str) -> AsyncIterator[Event]:
        """Watch Pods."""
        self._cluster.check("watch_pods", version)
        async for event in self._cluster.tell_from(selector, version):
            yield event

    async def delete_pod(
        self, name: str, grace_seconds: int, *, uid: str = "", version: str = ""
    ) -> bool:
        """Delete a Pod: it is gone at once, unless its node is deaf."""
        self._cluster.check("delete_pod", name, grace_seconds)
        pod = self._cluster.pods.get(name)
        if pod is None:
            return False
        metadata = pod["metadata"]
        if (uid or metadata["uid"], version or metadata["resourceVersion"]) != (
            metadata["uid"],
            metadata["resourceVersion"],
        ):
            raise Moved(f'Operation cannot be fulfilled on Pod "{name}"')
        if name in self._cluster.deaf and grace_seconds > 0:
            pod["metadata"] |= {"deletionTimestamp": ENDED, "deletionGracePeriodSeconds": 0}
            self._cluster.play(name, pod["status"])
        else:
            self._cluster.vanish(name)
        return True

    async def read_log(self, name: str, container: str, lines: int) -> str | None:
        """Read the log of a container."""
        self._cluster.check("read_log", name, container)
        return self._cluster.logs.get(name)

    async def list_events(self, pod: str) -> list[Object]:
        """Read the events of a Pod."""
        self._cluster.check("list_events", pod)
        return self._cluster.events.get(pod, [])

    async def create_claim(self, body: Object) -> Object:
        """Create a claim."""
        return self._create("create_claim", self._cluster.claims, body)

    async def get_claim(self, name: str) -> Object | None:
        """Read a claim."""
        self._cluster.check("get_claim", name)
        return self._cluster.claims.get(name)

    async def list_claims(self, selector: str) -> list[Object]:
        """Read the claims."""
        self._cluster.check("list_claims")
        return [one for one in self._cluster.claims.values() if _matches(one, selector)]

    async def delete_claim(self, name: str) -> None:
        """Delete a claim."""
        self._cluster.check("delete_claim", name)
        self._cluster.claims.pop(name, None)

    async def find_missing(self, rights: Iterable[Right]) -> list[Right]:
        """Ask for rights."""
        self._cluster.check("find_missing")
        return [right for right in rights if right in self._cluster.denied]

    async def create_daemon_set(self, body: Object) -> Object:
        """Create a DaemonSet."""
        return self._create("create_daemon_set", self._cluster.daemon_sets, body)

    async def list_daemon_sets(self, selector: str) -> list[Object]:
        """Read the DaemonSets."""
        self._cluster.check("list_daemon_sets")
        return [one for one in self._cluster.daemon_sets.values() if _matches(one, selector)]

    async def delete_daemon_set(self, name: str) -> None:
        """Delete a DaemonSet."""
        self._cluster.check("delete_daemon_set", name)
        self._cluster.daemon_sets.pop(name, None)

    async def close(self) -> None:
        """Nothing is open."""

    def _create(self, call: str, there: dict[str, dict[str, Any]], body: Object) -> Object:
        name = body["metadata"]["name"]
        self._cluster.check(call, name)
        if name in there:
            raise AlreadyThere(f'"{name}" already exists')
        there[name] = copy.deepcopy(dict(body))
        return there[name]


def _matches(thing: Object, selector: str) -> bool:
    labels = thing["metadata"].get("labels") or {}
    for term in selector.split(","):
        name, differs, value = term.partition("!=")
        if differs:
            if labels.get(name) == value:
                return False
            continue
        name, _, value = term.partition("=")
        if labels.get(name) != value:
            return False
    return True
