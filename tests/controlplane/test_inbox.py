"""The writer's inbox: who may wait lets the others pass, and is never left waiting."""

from __future__ import annotations

from leoflow_controlplane.database.inbox import PATIENT_LIMIT, Inbox


def test_what_is_patient_comes_after_the_rest_and_a_few_at_a_time() -> None:
    inbox: Inbox[int] = Inbox()
    for number in range(PATIENT_LIMIT + 5):
        inbox.put(number, patient=True)
    inbox.put(-1)

    first = inbox.take(1000, None, None)
    inbox.put(-2)
    second = inbox.take(1000, None, None)
    inbox.dispose()

    assert first == [-1, *range(PATIENT_LIMIT)]
    assert second == [-2, *range(PATIENT_LIMIT, PATIENT_LIMIT + 5)]


def test_what_is_patient_is_taken_after_the_close_as_well() -> None:
    inbox: Inbox[int] = Inbox()
    inbox.put(1, patient=True)
    inbox.close()

    assert inbox.take(10, None, None) == [1]
    assert inbox.take(10, None, None) is None
    inbox.dispose()
