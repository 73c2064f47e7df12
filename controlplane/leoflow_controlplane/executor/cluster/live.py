"""A Pod that is looked after, from the order to create it until its end was told. State only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from leoflow_controlplane.executor.cluster.limits import Wait
from leoflow_controlplane.launch import be_silent
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.pod.ending import Over
from leoflow_controlplane.pod.slim import PodView


@dataclass(slots=True)
class Live:
    """``settled``: its Pod is there, or never will be. ``unwanted``: it is to end. ``gone``: its
    end was told, which is ``over``.

    ``ran``: its container was seen running. ``placed_seen_at``, ``ran_seen_at``: when it was first
    seen with a node, and running or over, in seconds since the epoch. ``vanished_at`` is when its
    Pod was gone, of a clock that only goes on. ``reading``: something about it is asked for.
    """

    key: TryKey
    name: str
    say: Callable[[str], None] = be_silent
    started: bool = False
    ran: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    view: PodView | None = None
    wait: Wait | None = None
    over: Over | None = None
    placed_seen_at: float | None = None
    ran_seen_at: float | None = None
    vanished_at: float | None = None
    reading: bool = False
    looked_again: bool = False
