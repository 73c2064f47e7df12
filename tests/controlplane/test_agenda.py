from __future__ import annotations

import weakref
from typing import cast

from leoflow_controlplane.book.agenda import SPARE, Agenda
from leoflow_controlplane.book.heldrun import HeldRun, OpenTry
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.model import TryKey


class Instants(dict[str, float | None]):
    """Tells, through a weak reference, whether the try that has it is still in memory."""


def make_try(number: int, deadline_at: float) -> OpenTry:
    key = TryKey("d", "r", "t", -1, number)
    held = OpenTry(key, cast(HeldRun, None), Instance("t"), False, instants=Instants())
    held.deadline_at = deadline_at
    return held


def test_the_first_instant_that_still_counts_is_next() -> None:
    agenda = Agenda()
    early, late = make_try(1, 10.0), make_try(2, 20.0)
    agenda.note_try(late)
    agenda.note_try(early)

    early.deadline_at = None

    assert agenda.next_due() == 20.0
    assert agenda.take_due(20.0) == [late]
    assert agenda.next_due() is None


def test_what_is_over_leaves_the_memory_long_before_its_instant() -> None:
    agenda = Agenda()
    waiting = make_try(0, 5.0)
    agenda.note_try(waiting)
    kept = []
    for number in range(5 * SPARE):
        held = make_try(number, 1e9)
        agenda.note_try(held)
        held.deadline_at = None
        kept.append(weakref.ref(cast(Instants, held.instants)))
    del held

    assert sum(one() is not None for one in kept) <= 2 * SPARE
    assert agenda.next_due() == 5.0
