"""Clusters in which things go wrong at random, by a seed: what calls meet, what becomes of Pods.

A Pod's fate depends on its name alone, and only the first tries of a task meet a bad one: so it is
known how each task ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from emulator.fault import Chance, Fault, Faults
from emulator.store import Object

TRY_NUMBER = "leoflow.dev/try-number"
# How many tries of a task, at most, end by the fault of the machinery.
BAD_TRIES = 2
# By the machinery's fault, or only late or in a roundabout way: each as likely as the others.
BAD = (
    *("evicted", "node_shutdown", "node_rebooted", "rejected", "pull_error_first"),
    *("unschedulable_first:0.1", "slow:0.1", "crawling:0.2"),
    # In these the object goes away, maybe before a client has learned that its creation was done.
    *("preempted", "drained", "node_gone", "deleted", "vanished"),
)


def choose_by(seed: int, share: float) -> Callable[[Object], str]:
    """Give the function that chooses a bad fate for ``share`` of the Pods."""

    def choose(pod: Object) -> str:
        metadata = pod["metadata"]
        number = int((metadata.get("annotations") or {}).get(TRY_NUMBER, 1))
        digest = hashlib.sha256(f"{seed} {metadata['name']}".encode()).digest()
        if number > BAD_TRIES or digest[0] >= share * 256:
            return "run"
        return BAD[digest[1] % len(BAD)]

    return choose


def stormy(seed: int, chance: float = 0.02) -> Faults:
    """Give faults of all kinds, each with about this chance; a watch meets one in the end."""
    kinds = ("429", "500", "503", "gone", "lost")
    calls = tuple(Chance(chance, Fault(kind)) for kind in kinds)
    slow = (Chance(chance, Fault("slow", 0.2)),)
    watches = (
        Chance(0.7, Fault("cut", 400), "watch"),
        Chance(0.2, Fault("410"), "watch"),
        Chance(0.5, Fault("twice", 0.05), "watch"),
        Chance(0.3, Fault("mixed", 0.05), "watch"),
        Chance(0.2, Fault("late", 0.5), "watch"),
    )
    return Faults(seed, (*calls, *slow, *watches))
