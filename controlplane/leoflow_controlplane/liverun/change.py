"""What a step of a run changed, in order, for whoever writes it down."""

from __future__ import annotations

from typing import NamedTuple

from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.model import RunState, TaskState


class Moved(NamedTuple):
    """An instance went from ``old_state`` to ``state``; one step may move it more than once.

    From ``queued`` or ``running`` to anything that its try did not bring about: the try is to be
    stopped. ``instance`` is the living one: at the end of the step it is what is to be written.
    """

    instance: Instance
    old_state: TaskState | None
    state: TaskState | None
    reason: str | None


class Added(NamedTuple):
    """An instance exists that did not before."""

    instance: Instance


class Dropped(NamedTuple):
    """The row of a mapped task went away because its instances took its place. No try was its."""

    instance: Instance


class RunMoved(NamedTuple):
    """The run went into ``state``, or is ``cancelled`` now. ``facts`` of the run say the rest."""

    state: RunState
    reason: str | None
    cancelled: bool


Change = Moved | Added | Dropped | RunMoved
