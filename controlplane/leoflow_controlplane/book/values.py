"""The values that the tasks of a run left: those that wait to be written and those in tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

from leoflow_agent.spec import TaskSpec
from leoflow_agent.wire import Inputs

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.inputs import resolve_task_inputs
from leoflow_controlplane.liverun.facts import MISSING
from leoflow_controlplane.model import NOT_MAPPED, RETURN_VALUE


class RunValues:
    """Implements liverun's Values for one run."""

    def __init__(self, book: Book, pk: int) -> None:
        self._book = book
        self._pk = pk

    def value(self, task_id: str, map_index: int) -> Any:
        """Give what an instance returned, or MISSING."""
        draft, place = self._book.draft, (self._pk, task_id)
        text = draft.xcoms.get(place, {}).get((map_index, RETURN_VALUE))
        if text is None and map_index not in draft.forgotten_xcoms.get(place, ()):
            text = _stored(self._book, self._pk, task_id, RETURN_VALUE).get(map_index)
        return MISSING if text is None else json.loads(text)

    def left(self, task_id: str) -> Set[int]:
        """Give the map indices of the instances that returned something."""
        return read_texts(self._book, self._pk, task_id, RETURN_VALUE).keys()


def read_texts(book: Book, run_pk: int, task_id: str, key: str) -> dict[int, str]:
    """Give the values (JSON text) that a task left, by map_index in order."""
    texts = dict(_stored(book, run_pk, task_id, key))
    for map_index in book.draft.forgotten_xcoms.get((run_pk, task_id), ()):
        texts.pop(map_index, None)
    for (map_index, written), text in book.draft.xcoms.get((run_pk, task_id), {}).items():
        if written == key:
            texts[map_index] = text
    return dict(sorted(texts.items()))


def _stored(book: Book, run_pk: int, task_id: str, key: str) -> Mapping[int, str]:
    place = (run_pk, task_id, key)
    if place not in book.stored_texts:
        book.stored_texts[place] = book.store.read_values(book.connection, *place)
    return book.stored_texts[place]


def read_inputs(book: Book, run: HeldRun, task: TaskSpec, map_index: int) -> Inputs:
    """Give the inputs of a task instance; Refused if a mapped one cannot have any."""
    values = {}
    for task_id, key in run.version.reads[task.task_id]:
        found = read_value(book, run, task_id, key)
        if found is not MISSING:
            values[task_id, key] = found
    return resolve_task_inputs(task, map_index, values)


def read_value(book: Book, run: HeldRun, task_id: str, key: str) -> Any:
    """Give what a task left: of a mapped one the list of what its instances left, in order."""
    place = (run.pk, task_id, key)
    if place not in book.looked_up:
        book.looked_up[place] = _look_up(book, run, task_id, key)
    return book.looked_up[place]


def _look_up(book: Book, run: HeldRun, task_id: str, key: str) -> Any:
    written = book.draft.xcoms.get((run.pk, task_id), {}).get((NOT_MAPPED, key))
    if written is not None:
        return json.loads(written)
    texts = read_texts(book, run.pk, task_id, key)
    if NOT_MAPPED in texts:
        return json.loads(texts[NOT_MAPPED])
    if run.version.tasks[task_id].expansion is None or task_id not in run.live.plan.position:
        return MISSING
    # What an instance left that failed, or is no more, is not part of what the task returned:
    # nobody would be expanded over it.
    return [json.loads(texts[n]) for n in run.live.succeeded(task_id) if n in texts]
