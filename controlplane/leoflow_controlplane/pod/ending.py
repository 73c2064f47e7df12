"""What the state of a Pod means for its try, in the cluster's own words. Pure: knows no clock.

Whose fault an end is:
the machinery's, with a budget of its own, is what was taken away from a task that could have gone
on: evicted for want of room on the node, preempted, drained, its node lost or shut down, refused by
its node, deleted by somebody (who wants a task to end stops it in leoflow), its image not pulled
because a registry failed;
final is what would only fail again: an image that is not there or may not be pulled, a secret that
is missing, a container that cannot be started, and a Pod for which no node was found in time (the
limit was the budget: another Pod would be the same Pod at the end of the same queue);
the task's own is the rest: what it exits with, memory, and disk that it used beyond its own limit.
"""

from __future__ import annotations

import signal
from typing import Literal, NamedTuple

from leoflow_agent import exitcode

from leoflow_controlplane.pod.pullfault import is_hopeless
from leoflow_controlplane.pod.slim import ContainerView, PodView
from leoflow_controlplane.verdict import Exit, Loss, judge_code

Stage = Literal["schedule", "create", "pull", "name", "config", "leave"]

# What a container ends with of which a process was killed, or told to end by another one.
SIGNALLED = (exitcode.SIGNAL_BASE + signal.SIGKILL, exitcode.SIGNAL_BASE + signal.SIGTERM)
# What an agent, or a program that is none, ends with when its Pod is deleted.
TOLD_TO_END = (exitcode.TERMINATED, *SIGNALLED)


class Over(NamedTuple):
    """The try has ended. Instants are seconds since the epoch, None where unknown."""

    exit: Exit
    started_at: float | None = None
    ended_at: float | None = None


class Waiting(NamedTuple):
    """Its container does not run yet; ``words`` say why if the cluster does. ``hopeless``: waiting
    will hardly help.

    ``schedule``: for a node. ``create``: for what nobody tells, such as a pull or a mount.
    ``pull``: an attempt to pull has failed. ``name``: its image has a name that is none.
    ``config``: an attempt to make the container has failed.
    ``leave``: it is being deleted, whether its container runs or not.
    """

    stage: Stage
    words: str = ""
    hopeless: bool = False


class Running(NamedTuple):
    """Its container runs."""

    started_at: float | None = None


Standing = Over | Waiting | Running

# Reasons of a container that waits, as the kubelet writes them (pkg/kubelet/images/types.go and
# kuberuntime/kuberuntime_container.go).
_PULL = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"}
    | {"ImageInspectError", "SignatureValidationFailed"}
)
_CONFIG = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
    | {"PreCreateHookError", "PreStartHookError", "PostStartHookError", "CrashLoopBackOff"}
)
_FINAL_PULLS = frozenset({"ErrImageNeverPull", "SignatureValidationFailed"})
# Of a container that never was one.
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})

# Reasons of the condition DisruptionTarget (docs: "Pod disruption conditions").
_DISRUPTIONS: dict[str, tuple[Loss, str]] = {
    "PreemptionByScheduler": ("preempted", "was preempted by a Pod of higher priority"),
    "DeletionByTaintManager": ("node", "lost its node, which does not answer or was given a taint"),
    "EvictionByEvictionAPI": ("evicted", "was evicted from its node, as when a node is drained"),
    "DeletionByPodGC": ("node", "lost its node, which is gone"),
    "TerminationByKubelet": (
        "evicted",
        "was ended by its node, which is short of room or shuts down",
    ),
}
# Reasons of a Pod that has failed (status.reason).
_LOSSES: dict[str, tuple[Loss, str]] = {
    "Evicted": ("evicted", "was evicted from its node"),
    "Preempting": ("preempted", "was preempted by a Pod of higher priority"),
    "NodeLost": ("node", "lost its node, which does not answer"),
    "NodeShutdown": ("node", "was ended because its node shuts down"),
    "Shutdown": ("node", "was ended because its node shuts down"),
    "Terminated": ("node", "was ended because its node shuts down"),
}
# The kubelet's words when a Pod is evicted for what its own limits say
# (pkg/kubelet/eviction/eviction_manager.go).
_OWN_LIMITS = (
    "ephemeral local storage usage exceeds the total limit",
    "exceeded its local ephemeral storage limit",
    "Usage of EmptyDir volume",
)


def judge(view: PodView, *, stopped: bool = False) -> Standing:
    """Tell how a Pod that is there stands. ``stopped``: leoflow itself has it end."""
    over = _judge_phase(view, stopped)
    if over is not None:
        return over
    if view.deleting:
        return Waiting("leave", describe_loss(view))
    if view.task is not None and view.task.phase == "running":
        return Running(view.task.started_at)
    return _judge_waiting(view)


def judge_gone(view: PodView | None, *, stopped: bool = False) -> Over:
    """Tell how the try of a Pod that is gone ended, by what was seen of it last.

    ``stopped``: its deletion was leoflow's own.
    """
    over = None if view is None else _judge_phase(view, stopped)
    if over is not None:
        return over
    started_at = view.task.started_at if view is not None and view.task is not None else None
    if stopped:
        return Over(Exit(None, reason="it was stopped"), started_at)
    if view is None or view.disruption is None:
        ran = "ran" if started_at is not None else "had not started yet"
        return _lost(f"its Pod was deleted by somebody while it {ran}", "deleted", started_at)
    return _lost(describe_loss(view), name_loss(view), started_at)


def may_be_memory(over: Over, view: PodView) -> bool:
    """Say whether a container ended by a signal that nothing explains yet: containerd tells that
    memory ran out after it has told of the end."""
    exit = over.exit
    explained = exit.oom_killed or view.deleting or view.disruption is not None
    return exit.code in SIGNALLED and not explained


def judge_unreachable(view: PodView) -> Over:
    """Tell the end of a try whose Pod has to be deleted and whose node does not do it."""
    started_at = view.task.started_at if view.task is not None else None
    words = view.disruption.message if view.disruption is not None else ""
    text = f"its Pod lost its node '{view.node}', which does not answer"
    return _lost(_with(text, words), "node", started_at)


def describe_loss(view: PodView) -> str:
    """Say why the cluster takes a Pod away."""
    if view.disruption is None:
        return "its Pod was deleted by somebody"
    reason, message = view.disruption
    _, words = _DISRUPTIONS.get(reason, ("evicted", f"was taken away ({reason})"))
    return _with(f"its Pod {words}", message)


def name_loss(view: PodView) -> Loss:
    """Name what `describe_loss` says."""
    if view.disruption is None:
        return "deleted"
    return _DISRUPTIONS.get(view.disruption.reason, ("evicted", ""))[0]


def _judge_phase(view: PodView, stopped: bool) -> Over | None:
    task = view.task
    ended = task if task is not None and task.phase == "terminated" else None
    if view.phase == "Failed" and view.reason and (ended is None or ended.exit_code != 0):
        return _judge_failed_pod(view, ended, stopped)
    if ended is not None:
        return _judge_ended(view, ended, stopped)
    if view.phase == "Succeeded":
        return Over(Exit(0))
    if view.phase == "Failed":
        return _judge_unstarted(view)
    if view.init is not None and view.init.phase == "terminated":
        return _judge_unstarted(view)
    return None


def _judge_failed_pod(view: PodView, ended: ContainerView | None, stopped: bool) -> Over:
    """Judge a Pod of which the cluster says why it failed as a whole."""
    instants = (None, None) if ended is None else (ended.started_at, ended.ended_at)
    if view.reason == "DeadlineExceeded":
        text = _with("its Pod ran longer than its activeDeadlineSeconds", view.message)
        return Over(Exit(None, reason=text), *instants)
    if view.reason == "Evicted" and any(words in view.message for words in _OWN_LIMITS):
        text = (
            f"its Pod was evicted for using more disk than it may: {view.message.strip()} Raise "
            "resources.limits.ephemeral_storage of the task in leoflow.yaml."
        )
        return Over(Exit(None, reason=text), *instants)
    if view.reason in _LOSSES:
        loss, words = _LOSSES[view.reason]
        return _lost(_with(f"its Pod {words}", view.message), loss, *instants)
    if ended is not None:
        return _judge_ended(view, ended, stopped)
    # UnexpectedAdmissionError, OutOfcpu, NodeAffinity …: the node would not have it.
    return _lost(_with(f"its node refused its Pod ({view.reason})", view.message), "node")


def _judge_ended(view: PodView, ended: ContainerView, stopped: bool) -> Over:
    instants, code = (ended.started_at, ended.ended_at), ended.exit_code
    if ended.reason in _NOT_STARTED:
        return _never(f"its container could not be started: {_words(ended)}")
    if ended.reason == "ContainerStatusUnknown" and stopped:
        return Over(Exit(None, reason="it was stopped"), *instants)
    if ended.reason == "ContainerStatusUnknown" and (view.disruption or view.deleting):
        # The kubelet says that also of a container that was never made.
        return _lost(describe_loss(view), name_loss(view), *instants)
    if ended.reason == "ContainerStatusUnknown":
        return _lost(_with("its node has lost its container", ended.message), "node", *instants)
    oom_killed = ended.reason == "OOMKilled"
    if stopped or code is None or oom_killed:
        return Over(Exit(code, oom_killed), *instants)
    if code != 0 and view.disruption is not None:
        return _lost(describe_loss(view), name_loss(view), *instants)
    if code in TOLD_TO_END and view.deleting:
        over = _lost("its Pod was deleted by somebody while it ran", "deleted", *instants)
        return over._replace(exit=over.exit._replace(code=code))
    return Over(judge_code(code), *instants)


def _judge_unstarted(view: PodView) -> Over | None:
    if view.disruption is not None:
        return _lost(describe_loss(view), name_loss(view))
    init = view.init
    if init is None or init.phase != "terminated":
        text = "its Pod failed before its container was started"
        return _lost(_with(text, view.message), "launch")
    code = f"exit code {init.exit_code}"
    text = _with(f"init container '{init.name}' of its Pod failed with {code}", _words(init))
    return Over(Exit(None, reason=text), init.started_at, init.ended_at)


def _judge_waiting(view: PodView) -> Waiting:
    if view.node is None:
        return Waiting("schedule", view.unscheduled)
    waiting = view.init if view.init is not None else view.task
    if waiting is None or waiting.phase != "waiting":
        return Waiting("create")
    words = _words(waiting)
    if waiting.reason in _PULL:
        return Waiting("pull", words, hopeless=_is_final(waiting))
    if waiting.reason == "InvalidImageName":
        return Waiting("name", words)
    if waiting.reason in _CONFIG:
        return Waiting("config", words)
    # ContainerCreating and PodInitializing, which say nothing, and what is not known yet.
    return Waiting("create", waiting.message)


def _is_final(waiting: ContainerView) -> bool:
    return waiting.reason in _FINAL_PULLS or is_hopeless(waiting.message)


def _lost(
    reason: str, loss: Loss, started_at: float | None = None, ended_at: float | None = None
) -> Over:
    return Over(Exit(None, reason=reason, machinery=True, loss=loss), started_at, ended_at)


def _never(reason: str) -> Over:
    return Over(Exit(None, reason=reason, final=True))


def _words(container: ContainerView) -> str:
    # A kubelet that backs off repeats what the attempt said.
    _, repeated, attempt = container.message.partition(": ErrImagePull: ")
    if container.reason == "ImagePullBackOff" and repeated:
        return f"ErrImagePull: {attempt.strip()}"
    if container.message and container.reason:
        return f"{container.reason}: {container.message.strip()}"
    return container.message.strip() or container.reason


def _with(text: str, words: str) -> str:
    return f"{text}: {words.strip()}" if words.strip() else text
