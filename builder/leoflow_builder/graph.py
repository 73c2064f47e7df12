"""Orders the tasks of a DAG, or finds the circle that keeps them from having an order. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Upstream = Mapping[str, Sequence[str]]


def in_topological_order(upstream: Upstream) -> list[str]:
    """Return the tasks so that each comes after all that it waits for.

    Otherwise the order is as written. Tasks in or behind a circle are left out, so the result is
    complete only if ``find_cycle`` gives None.
    """
    downstream: dict[str, list[str]] = {task_id: [] for task_id in upstream}
    waiting = {task_id: len(set(above)) for task_id, above in upstream.items()}
    for task_id, above in upstream.items():
        for earlier in dict.fromkeys(above):
            downstream[earlier].append(task_id)
    ready = [task_id for task_id, count in waiting.items() if count == 0]
    for task_id in ready:
        for later in downstream[task_id]:
            waiting[later] -= 1
            if waiting[later] == 0:
                ready.append(later)
    return ready


def find_cycle(upstream: Upstream) -> list[str] | None:
    """Return tasks each of which waits for the one before, the first for the last; or None."""
    ordered = set(in_topological_order(upstream))
    left = [task_id for task_id in upstream if task_id not in ordered]
    if not left:
        return None
    walked: list[str] = []
    task_id = left[0]
    while task_id not in walked:
        walked.append(task_id)
        task_id = next(above for above in upstream[task_id] if above not in ordered)
    return walked[walked.index(task_id) :][::-1]
