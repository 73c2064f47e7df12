"""The rows of tries. Which of several statements writes one depends on how far the try has come:
what cannot have changed since it was written is not handed over, for each value has its price.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from leoflow_controlplane.book.heldrun import OpenTry
from leoflow_controlplane.model import PHASES, Phase
from leoflow_controlplane.schema import tries
from leoflow_controlplane.store.bulk import Upsert

_KEY = ("run_pk", "task_id", "map_index", "try_number")
_STANDING = (
    *("nonce", "acked_seq", "state", "reason", "reported_verdict", "terminate", "defect"),
    *("deadline_at", "exit_code", "oom_killed"),
)
_VALUES = (*_STANDING, *(f"{phase}_at" for phase in PHASES))
_TRIES = Upsert(tries, (*_KEY, "inline", "artifacts", *_VALUES), _VALUES)
# When it is handed out.
_FRESH = {
    inline: Upsert(
        tries,
        (*_KEY, "deadline_at", "scheduled_at", "dispatched_at"),
        constants={
            "inline": str(inline).upper(),
            "acked_seq": "0",
            "reported_verdict": "FALSE",
            "oom_killed": "FALSE",
        },
    )
    for inline in (False, True)
}
# The row is there from here on, and only a row that is not would get what is said of these.
_THERE = {"inline": "FALSE", "reported_verdict": "FALSE", "oom_killed": "FALSE"}
_RUNNING_PHASES: tuple[Phase, ...] = ("agent_up", "import_started", "entered")
_RUNNING_VALUES = (
    *("nonce", "acked_seq", "deadline_at"),
    *(f"{phase}_at" for phase in _RUNNING_PHASES),
)
_RUNNING = Upsert(tries, (*_KEY, *_RUNNING_VALUES), _RUNNING_VALUES, _THERE)
# Not to touch ``ended_at`` spares the database the index over it.
_OPEN_PHASES: tuple[Phase, ...] = (*_RUNNING_PHASES, "left", "reported")
_OPEN_VALUES = (*_STANDING, *(f"{phase}_at" for phase in _OPEN_PHASES))
_OPEN = Upsert(tries, (*_KEY, *_OPEN_VALUES), _OPEN_VALUES, {"inline": "FALSE"})
# All but the two that it was handed out with.
_ENDED_PHASES: tuple[Phase, ...] = PHASES[2:]
_ENDED_VALUES = (*_STANDING, *(f"{phase}_at" for phase in _ENDED_PHASES))
_ENDED = Upsert(tries, (*_KEY, *_ENDED_VALUES), _ENDED_VALUES, {"inline": "FALSE"})
_ALL = (*_FRESH.values(), _RUNNING, _OPEN, _ENDED, _TRIES)


def write_tries(connection: Connection, changed: Iterable[OpenTry]) -> None:
    """Write tries as they are now. Should this not become durable, the memory has to be dropped:
    they count as written."""
    rows: dict[Upsert, list[tuple[Any, ...]]] = {statement: [] for statement in _ALL}
    for held in changed:
        statement, values = _row(held)
        rows[statement].append((held.run.pk, *held.key[2:], *values))
        held.is_written = True
    for statement, found in rows.items():
        if found:
            statement.write(connection, found)


def _row(held: OpenTry) -> tuple[Upsert, tuple[Any, ...]]:
    """Choose the statement for a try, and give what that takes beside the key."""
    instants = held.instants
    has_ended = instants.get("ended") is not None
    if held.is_written:
        if has_ended:
            return _ENDED, (*_standing(held), *map(instants.get, _ENDED_PHASES))
        if _runs(held):
            standing = (held.nonce, held.acked_seq, held.deadline_at)
            return _RUNNING, (*standing, *map(instants.get, _RUNNING_PHASES))
        return _OPEN, (*_standing(held), *map(instants.get, _OPEN_PHASES))
    if held.nonce is None and _runs(held) and held.artifacts is None and not has_ended:
        times = (held.deadline_at, instants.get("scheduled"), instants.get("dispatched"))
        return _FRESH[held.inline], times
    before = (held.inline, held.artifacts)
    return _TRIES, (*before, *_standing(held), *map(instants.get, PHASES))


def _runs(held: OpenTry) -> bool:
    """Say whether nothing is known of its end, and it was not told to stop."""
    return (
        held.verdict is None
        and held.terminate is None
        and held.defect is None
        and held.exit_code is None
    )


def _standing(held: OpenTry) -> tuple[Any, ...]:
    verdict = held.verdict
    return (
        held.nonce,
        held.acked_seq,
        None if verdict is None else verdict.state,
        None if verdict is None else verdict.reason,
        held.reported_verdict,
        held.terminate,
        held.defect,
        held.deadline_at,
        held.exit_code,
        held.oom_killed,
    )
