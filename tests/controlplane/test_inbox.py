"""The writer's inbox: who may wait lets the others pass, and is never left waiting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from leoflow_controlplane.database.inbox import PATIENT_LIMIT, PATIENT_TURNS, Inbox


def test_what_is_patient_lets_others_pass_and_is_not_passed_for_ever() -> None:
    inbox: Inbox[int] = Inbox()
    for number in range(PATIENT_LIMIT + 5):
        inbox.put(number, patient=True)

    taken = []
    for number in range(PATIENT_TURNS + 2):
        inbox.put(-number, patient=False)
        taken.append(inbox.take(1000, None, None))
    rest = inbox.take(1000, None, None)
    inbox.dispose()

    assert taken[:PATIENT_TURNS] == [[-number] for number in range(PATIENT_TURNS)]
    assert taken[PATIENT_TURNS] == [-PATIENT_TURNS, *range(PATIENT_LIMIT)]
    assert taken[-1] == [-PATIENT_TURNS - 1]
    assert rest == list(range(PATIENT_LIMIT, PATIENT_LIMIT + 5))


def test_what_is_patient_is_taken_after_the_close_as_well() -> None:
    inbox: Inbox[int] = Inbox()
    inbox.put(1, patient=True)
    inbox.close()

    assert inbox.take(10, None, None) == [1]
    assert inbox.take(10, None, None) is None
    inbox.dispose()


def test_who_sleeps_is_woken_each_time_though_not_by_each_put() -> None:
    inbox: Inbox[int] = Inbox()
    found: list[int] = []

    def put_two(first: int) -> None:
        inbox.put(first)
        inbox.put(first + 1)

    with ThreadPoolExecutor(1) as others:
        for number in range(100):
            put = others.submit(put_two, 2 * number)
            while len(found) < 2 * number + 2:
                found += inbox.take(1000, 60.0, None) or []
            put.result()
    inbox.dispose()

    assert found == list(range(200))
