"""What is kept of a Pod while it lives: the few fields that its end and its limits are read from.

Pure. A Pod as the API server gives it has some ten kilobytes, and there are thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

ContainerPhase = Literal["waiting", "running", "terminated"]


class ContainerView(NamedTuple):
    """How a container stands. Instants are seconds since the epoch, None where unknown."""

    name: str
    phase: ContainerPhase
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: float | None = None
    ended_at: float | None = None


class Disruption(NamedTuple):
    """Why the cluster took a Pod away: its condition DisruptionTarget."""

    reason: str
    message: str


class PodView(NamedTuple):
    """A Pod as of ``version``. ``task`` is the container of the try, None before the kubelet knows
    it; ``init`` is the first init container that keeps it from starting.

    ``placed_at``: it was given a node. ``unscheduled`` are the scheduler's words, "" before it has
    said anything and on a node. ``deleting``: somebody has asked for its deletion, which has
    ``grace_seconds`` from then on.
    """

    name: str
    uid: str
    version: str
    phase: str = "Pending"
    node: str | None = None
    created_at: float | None = None
    placed_at: float | None = None
    deleting: bool = False
    grace_seconds: float = 0.0
    reason: str = ""
    message: str = ""
    unscheduled: str = ""
    disruption: Disruption | None = None
    init: ContainerView | None = None
    task: ContainerView | None = None

    @classmethod
    def of(cls, pod: Mapping[str, Any]) -> PodView:
        """Read a Pod of the API. The try's container is the first that the Pod declares."""
        metadata, spec = pod["metadata"], pod.get("spec") or {}
        status = pod.get("status") or {}
        unscheduled, placed_at, disruption = _read_conditions(status.get("conditions") or ())
        return cls(
            metadata["name"],
            metadata.get("uid", ""),
            metadata.get("resourceVersion", ""),
            status.get("phase") or "Pending",
            spec.get("nodeName"),
            read_instant(metadata.get("creationTimestamp")),
            placed_at,
            metadata.get("deletionTimestamp") is not None,
            float(metadata.get("deletionGracePeriodSeconds") or 0),
            status.get("reason") or "",
            status.get("message") or "",
            unscheduled,
            disruption,
            _blocking(spec, status),
            _task(spec, status),
        )


@lru_cache(maxsize=256)
def read_instant(text: str | None) -> float | None:
    """Turn RFC 3339 into seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() if text else None


def _read_conditions(
    conditions: Iterable[Mapping[str, Any]],
) -> tuple[str, float | None, Disruption | None]:
    """Give the scheduler's words while it has found no node, when it did, and why the cluster took
    a Pod."""
    unscheduled, placed_at, disruption = "", None, None
    for one in conditions:
        kind = one.get("type")
        if kind == "PodScheduled" and one.get("status") == "False":
            unscheduled = one.get("message") or one.get("reason") or ""
        elif kind == "PodScheduled" and one.get("status") == "True":
            placed_at = read_instant(one.get("lastTransitionTime"))
        elif kind == "DisruptionTarget" and one.get("status") == "True":
            disruption = Disruption(one.get("reason") or "", one.get("message") or "")
    return unscheduled, placed_at, disruption


def _task(spec: Mapping[str, Any], status: Mapping[str, Any]) -> ContainerView | None:
    containers = spec.get("containers") or ()
    name = containers[0].get("name") if containers else None
    for one in status.get("containerStatuses") or ():
        if one.get("name") == name:
            return _container(one)
    return None


def _blocking(spec: Mapping[str, Any], status: Mapping[str, Any]) -> ContainerView | None:
    statuses = status.get("initContainerStatuses") or ()
    if not statuses:
        return None
    sidecars = set(_sidecars(spec.get("initContainers") or ()))
    for one in statuses:
        view = _container(one)
        over = view.phase == "terminated" and view.exit_code == 0
        if not over and not (view.phase == "running" and view.name in sidecars):
            return view
    return None


def _sidecars(containers: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (one["name"] for one in containers if one.get("restartPolicy") == "Always")


def _container(status: Mapping[str, Any]) -> ContainerView:
    name, state = status["name"], status.get("state") or {}
    if ended := state.get("terminated"):
        return ContainerView(
            name,
            "terminated",
            ended.get("reason") or "",
            ended.get("message") or "",
            ended.get("exitCode"),
            read_instant(ended.get("startedAt")),
            read_instant(ended.get("finishedAt")),
        )
    if running := state.get("running"):
        return ContainerView(name, "running", started_at=read_instant(running.get("startedAt")))
    waiting = state.get("waiting") or {}
    return ContainerView(name, "waiting", waiting.get("reason") or "", waiting.get("message") or "")
