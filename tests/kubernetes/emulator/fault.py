"""What goes wrong between a client and the API server: planned for one call, or at random by a
seed. Decides and carries nothing out.

A fault of any call is ``401``, ``403``, ``429``, ``500`` or ``503`` (the answer), ``gone`` (the
connection is cut before anything is done), ``lost`` (cut when all is done), ``slow`` (by
``amount`` seconds).
Of watches there are ``410``, ``cut`` (after ``amount`` events), ``silent`` (nothing comes any more
after ``amount`` events), ``late`` (each event by up to ``amount`` seconds), ``twice`` (with the
chance ``amount`` for each event) and ``mixed`` (with that chance events of one object are behind
those of others).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from emulator.refusal import (
    Refusal,
    expired,
    forbidden,
    internal_error,
    too_many_requests,
    unauthorized,
    unavailable,
)


class Call(NamedTuple):
    """A request as audit logs have it; ``name`` is empty for a collection."""

    verb: str
    resource: str
    name: str = ""


class Fault(NamedTuple):
    """A kind of those above, and how much of it."""

    kind: str
    amount: float = 0.0


@dataclass
class Planned:
    """A fault of the next ``times`` calls that match; of the verb ``log`` for logs."""

    fault: Fault
    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    times: int = 1

    def matches(self, call: Call) -> bool:
        """Tell whether a call is meant."""
        pairs = zip(call, (self.verb, self.resource, self.name), strict=True)
        return self.times > 0 and all(fnmatchcase(*pair) for pair in pairs)


class Chance(NamedTuple):
    """A fault that any call of ``verb`` meets with a probability."""

    probability: float
    fault: Fault
    verb: str = "*"


@dataclass
class Faults:
    """Says what each call meets. ``met`` lists all that was."""

    seed: int = 0
    chances: tuple[Chance, ...] = ()
    planned: list[Planned] = field(default_factory=list)
    met: list[tuple[Call, Fault]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lot = random.Random(self.seed)

    def plan(self, kind: str, amount: float = 0.0, **which: object) -> None:
        """Plan a fault; ``which`` are the fields of Planned."""
        self.planned.append(Planned(Fault(kind, amount), **which))  # type: ignore[arg-type]

    def of(self, call: Call) -> dict[str, float]:
        """Give the faults of a call, by kind: the first that is planned for it, and by chance."""
        found = dict(self._chosen(call))
        self.met += [(call, Fault(*item)) for item in found.items()]
        return found

    def _chosen(self, call: Call) -> Iterable[Fault]:
        plan = next((plan for plan in self.planned if plan.matches(call)), None)
        if plan is not None:
            plan.times -= 1
            yield plan.fault
        for chance in self.chances:
            if chance.verb in ("*", call.verb) and self.lot.random() < chance.probability:
                yield chance.fault


def refusal_of(kind: str, call: Call) -> Refusal | None:
    """Give the answer that a fault is; None if it is none."""
    if kind == "403":
        return forbidden(call.resource, call.name, "admission webhook says no")
    made = {
        "401": unauthorized,
        "410": lambda: expired("The provided continue parameter is too old"),
        "429": too_many_requests,
        "500": internal_error,
        "503": unavailable,
    }.get(kind)
    return made() if made else None
