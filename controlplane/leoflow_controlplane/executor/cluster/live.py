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
    """``settled``: its Pod is there, or never will be. ``unwanted``: it is to end. ``told``: its
    end was. ``given_up``: its Pod was deleted for waiting too long, and this is its end once that
    is gone, unless it ran all the same. ``forced``: it is being forgotten, and its node was never
    heard to have ended it. ``moves``: how often its Pod had changed as it was to be given up.
    ``unfollowed``: no watch and no list tells of its Pod any more. ``hindered``: something kept
    its Pod from being given up or asked for, which was logged.

    ``ran``: its container was seen running. ``placed_seen_at``, ``ran_seen_at``: when it was first
    seen with a node, and running or over, in seconds since the epoch. ``vanished_at`` is when its
    Pod was told to be gone, of a clock that only goes on. ``reading``: something about it is asked
    for.
    """

    key: TryKey
    name: str
    say: Callable[[str], None] = be_silent
    started: bool = False
    ran: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    view: PodView | None = None
    wait: Wait | None = None
    given_up: Over | None = None
    forced: bool = False
    moves: int = 0
    unfollowed: bool = False
    hindered: bool = False
    placed_seen_at: float | None = None
    ran_seen_at: float | None = None
    vanished_at: float | None = None
    reading: bool = False
    looked_again: bool = False
