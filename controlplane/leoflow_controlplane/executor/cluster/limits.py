"""How long a Pod may stay in each stage before its container runs, and what it means when it does
for longer. Pure: instants are arguments, of a clock that only goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from leoflow_controlplane.executor.protocol import Limits
from leoflow_controlplane.pod.ending import (
    TOLD_TO_END,
    Over,
    Stage,
    Waiting,
    judge_gone,
    judge_unreachable,
)
from leoflow_controlplane.pod.pullfault import advise
from leoflow_controlplane.pod.slim import PodView
from leoflow_controlplane.verdict import Exit

# What a registry says no to is asked once more, by the kubelet: somebody may be pushing it.
HOPELESS_SECONDS = 15.0
# A secret or a config map that a Pod needs may be made just after it.
CONFIG_SECONDS = 30.0
# Beyond its grace, a node that is there has ended a Pod. Less than removal_allowance_seconds, after
# which who asked for that does not wait any more.
LEAVE_SECONDS = 20.0
FORCED = (
    "Its Pod was deleted by force, for its node did not end it: whether its container still runs "
    "there is not known"
)
BEGAN = "It began to run as it was given up, and was ended"
UNFOLLOWED = (
    "somebody took the labels 'leoflow.dev/realm' and 'leoflow.dev/owner' from its Pod, or changed "
    "them: without them leoflow cannot follow it, so it was ended"
)
# What a container runtime says that does not know of the images that it is to mount.
_NO_IMAGE_VOLUME = 'failed to mkdir ""'
MOUNT_ADVICE = (
    "The container runtime of its node cannot mount images, which containerd can from 2.1: set "
    "LEOFLOW_KUBERNETES_AGENT_MOUNT to init-container if it is the agent that is mounted"
)
# The kubelet's words of a volume whose content is not there (pkg/volume/secret and configmap).
_NO_CONTENT = re.compile(r'FailedMount: .*((secret|configmap) ".*" not found|non-existent)', re.S)
# The kubelet's reason of an event (pkg/kubelet/events/event.go).
_NO_SECRET = "FailedToRetrieveImagePullSecret"
# The stages of which the events of a Pod tell more than it does itself.
TOLD_BY_EVENTS: tuple[Stage, ...] = ("create", "pull")


class Wait(NamedTuple):
    """A Pod in a stage, from ``since`` on. ``pulling``: its node was seen to pull."""

    stage: Stage
    since: float
    words: str = ""
    pulling: bool = False


def note(wait: Wait | None, waiting: Waiting, now: float) -> Wait:
    """Go on with a wait, or begin another if the stage has changed.

    While the kubelet backs off it says less than at the attempt before, so the longer words stay.
    """
    if wait is None or wait.stage != waiting.stage:
        return Wait(waiting.stage, now, waiting.words)
    if waiting.stage == "pull" and len(waiting.words) < len(wait.words):
        return wait
    return wait._replace(words=waiting.words or wait.words)


def is_late(wait: Wait, waiting: Waiting, view: PodView, limits: Limits, now: float) -> bool:
    """Say whether a Pod has been in its stage for too long."""
    return now - wait.since >= _allowance(wait, waiting, view, limits)


def judge_late(wait: Wait, waiting: Waiting, limits: Limits) -> Over:
    """Tell the end of a try whose Pod has been in a stage before its start for too long."""
    words = f": {wait.words.strip()}" if wait.words.strip() else ""
    if wait.stage == "name":
        return Over(Exit(None, reason=f"the name of its image makes no sense{words}", final=True))
    if wait.stage == "schedule":
        seconds = limits.schedule_timeout_seconds
        text = f"no node took its Pod within schedule_timeout_seconds = {seconds:g}{words}"
        return Over(Exit(None, reason=text, final=True))
    if wait.stage == "config":
        advice = MOUNT_ADVICE if _NO_IMAGE_VOLUME in wait.words else ""
        text = _also(f"its container cannot be made{words}", advice)
        return Over(Exit(None, reason=text, final=True))
    if wait.stage == "pull":
        if waiting.hopeless:
            text = _also(f"its image cannot be pulled{words}", advise(wait.words))
            return Over(Exit(None, reason=text, final=True))
        seconds = limits.pull_grace_seconds
        text = f"its image could not be pulled within pull_grace_seconds = {seconds:g}{words}"
        return Over(Exit(None, reason=text, machinery=True, loss="launch"))
    if _NO_CONTENT.match(wait.words):
        return Over(Exit(None, reason=f"its volumes cannot be mounted{words}", final=True))
    name = "pull_timeout_seconds" if wait.pulling else "start_timeout_seconds"
    text = f"its container did not run within {name} = {getattr(limits, name):g}{words}"
    return Over(Exit(None, reason=text, machinery=True, loss="launch"))


def judge_given_up(given: Over, view: PodView) -> Over:
    """Tell the end of a try whose Pod was given up and is gone, or has ended: what it was given up
    for, unless its task came to an end of its own meanwhile."""
    over = judge_gone(view, stopped=True)
    if over.exit.oom_killed or over.exit.code not in (None, *TOLD_TO_END):
        return over
    if over.started_at is None or given.started_at is not None:
        return given._replace(ended_at=over.ended_at)
    exit = Exit(None, reason=_also(given.exit.reason or "", BEGAN), machinery=True, loss="launch")
    return over._replace(exit=exit)


def judge_unfollowed(view: PodView) -> Over:
    """Tell the end of a try whose Pod leoflow cannot find any more by its labels."""
    started_at = view.task.started_at if view.task is not None else None
    return Over(Exit(None, reason=UNFOLLOWED, machinery=True, loss="deleted"), started_at)


def judge_forced(given: Over | None, view: PodView, *, stopped: bool) -> Over:
    """Tell the end of a try whose Pod was forgotten, for its node did not end it. ``given``: what
    it was given up for before, if it was. ``stopped``: it was leoflow that wanted it to end."""
    over = given or (judge_gone(view, stopped=True) if stopped else judge_unreachable(view))
    reason = _also(over.exit.reason or "", FORCED)
    return over._replace(exit=over.exit._replace(reason=reason))


def read_progress(events: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    """Read from the events of a Pod whether its node is pulling, and what was told of it last."""
    told = sorted(events, key=_instant)
    reasons = [one.get("reason") for one in told]
    pulling = "Pulling" in reasons and not {"Pulled", "Failed"} & set(reasons)
    warnings = [one for one in told if one.get("type") == "Warning"]
    last = (warnings or told or [{}])[-1]
    words = ": ".join(filter(None, (last.get("reason"), (last.get("message") or "").strip())))
    return pulling, words


def learn(wait: Wait, events: Sequence[Mapping[str, Any]]) -> Wait:
    """Add to a wait what only the events of its Pod tell."""
    if wait.stage == "create":
        pulling, words = read_progress(events)
        return wait._replace(pulling=pulling, words=words or wait.words)
    if wait.stage == "pull":
        # The Pod itself only tells that the registry did not let it in.
        missing = [one for one in events if one.get("reason") == _NO_SECRET]
        words = (missing[0].get("message") or "").strip() if missing else ""
        return wait if words in wait.words else wait._replace(words=_also(wait.words, words))
    return wait


def _allowance(wait: Wait, waiting: Waiting, view: PodView, limits: Limits) -> float:
    if wait.stage == "schedule":
        return limits.schedule_timeout_seconds
    if wait.stage == "pull":
        grace = limits.pull_grace_seconds
        return min(HOPELESS_SECONDS, grace) if waiting.hopeless else grace
    if wait.stage == "name":
        return 0.0
    if wait.stage == "config":
        return min(CONFIG_SECONDS, limits.start_timeout_seconds)
    if wait.stage == "leave":
        return view.grace_seconds + LEAVE_SECONDS
    return limits.pull_timeout_seconds if wait.pulling else limits.start_timeout_seconds


def _also(text: str, words: str) -> str:
    return f"{text.rstrip('. ')}. {words}" if words else text


def _instant(event: Mapping[str, Any]) -> str:
    # RFC 3339 in UTC sorts as text.
    series = event.get("series") or {}
    told = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((text for text in told if text), "")
