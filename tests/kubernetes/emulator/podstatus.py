"""The status of a Pod at each stage, in the words of the scheduler, the kubelet and controllers.

Pure: a Pod in, its next status out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from emulator.clock import now_text
from emulator.store import Object

Status = dict[str, Any]


class Outcome(NamedTuple):
    """How a container ended. ``message`` is what it left at its terminationMessagePath."""

    code: int
    reason: str | None = None
    message: str | None = None


def condition(kind: str, state: str, reason: str | None = None, words: str | None = None) -> Status:
    """Write one condition."""
    found = {"type": kind, "status": state, "lastTransitionTime": now_text()}
    return {**found, **_said(reason=reason, message=words)}


def with_condition(pod: Object, *conditions: Status, **fields: Any) -> Status:
    """Give the status with conditions in place of those of the same type, and other fields."""
    status = pod.get("status") or {}
    kinds = {item["type"] for item in conditions}
    kept = [item for item in status.get("conditions") or () if item["type"] not in kinds]
    return {**status, "conditions": [*kept, *conditions], **fields}


def unschedulable(pod: Object, words: str) -> Status:
    """The scheduler found no node."""
    return with_condition(pod, condition("PodScheduled", "False", "Unschedulable", words))


def scheduled(pod: Object) -> Status:
    """The scheduler has bound the Pod."""
    return with_condition(pod, condition("PodScheduled", "True"))


def waiting(pod: Object, reason: str, words: str | None = None, *, init: bool = False) -> Status:
    """A container cannot be started yet: the first one, or the first of ``init``."""
    state = {"waiting": _said(reason=reason, message=words)}
    calm = {"waiting": {"reason": "PodInitializing"}}
    fields: Status = {"hostIP": "10.0.0.1", "startTime": _started(pod)}
    if pod["spec"].get("initContainers"):
        done = {"terminated": _terminated(Outcome(0), now_text())}
        fields["initContainerStatuses"] = _containers(
            pod, "initContainers", state if init else done
        )
    fields["containerStatuses"] = _containers(pod, "containers", calm if init else state)
    ready = condition("Ready", "False", "ContainersNotReady", "containers with unready status")
    return with_condition(pod, condition("Initialized", "True"), ready, phase="Pending", **fields)


def running(pod: Object, started: str) -> Status:
    """All containers have started."""
    ready = (condition("Ready", "True"), condition("ContainersReady", "True"))
    states = _containers(pod, "containers", {"running": {"startedAt": started}}, started=True)
    fields = {"phase": "Running", "podIP": "10.0.1.1", "containerStatuses": states}
    return with_condition(pod, *ready, **fields)


def ended(pod: Object, outcome: Outcome, started: str | None = None) -> Status:
    """The container has ended, and with it the Pod."""
    phase = "Succeeded" if outcome.code == 0 else "Failed"
    why = "PodCompleted" if outcome.code == 0 else "PodFailed"
    state = {"terminated": _terminated(outcome, started or now_text())}
    ready = (condition("Ready", "False", why), condition("ContainersReady", "False", why))
    states = _containers(pod, "containers", state)
    return with_condition(pod, *ready, phase=phase, containerStatuses=states)


def ended_by_itself(status: Status) -> bool:
    """Tell whether a status says that the Pod is over."""
    return status.get("phase") in ("Succeeded", "Failed")


def failed(pod: Object, reason: str, words: str, outcome: Outcome | None = None) -> Status:
    """The kubelet has ended the Pod, for a reason that is the Pod's and no container's."""
    if outcome is None:
        return {
            **(pod.get("status") or {}),
            "phase": "Failed",
            **_said(reason=reason, message=words),
        }
    status = ended(pod, outcome)
    return {**status, "phase": "Failed", **_said(reason=reason, message=words)}


def disrupted(pod: Object, reason: str, words: str) -> Status:
    """Say who is ending the Pod: the condition that comes with evictions and preemptions."""
    return with_condition(pod, condition("DisruptionTarget", "True", reason, words))


def _containers(pod: Object, field: str, state: Status, *, started: bool = False) -> list[Status]:
    return [
        {
            "name": item["name"],
            "image": item["image"],
            "imageID": "",
            "ready": started,
            "started": started,
            "restartCount": 0,
            "lastState": {},
            "state": state,
        }
        for item in pod["spec"][field]
    ]


def _terminated(outcome: Outcome, started: str) -> Status:
    reason = outcome.reason
    if reason is None:
        reason = "Completed" if outcome.code == 0 else "Error"
    return {
        "exitCode": outcome.code,
        **_said(reason=reason or None, message=outcome.message),
        "startedAt": started,
        "finishedAt": now_text(),
        "containerID": "containerd://emulated",
    }


def _started(pod: Object) -> str:
    return str((pod.get("status") or {}).get("startTime") or now_text())


def _said(**fields: str | None) -> Status:
    return {name: value for name, value in fields.items() if value is not None}
