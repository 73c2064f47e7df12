"""Runs a few jobs at once and ends them all at the first failure. It knows not what they do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
Job = Callable[[Progress], T]


_PATIENCE_SECONDS = 0.1


class _Abandoned(Exception):
    """Another job has failed, so this one is not needed any more."""


def run_side_by_side(
    jobs: Sequence[Job[T]], progress: Progress, interrupt: Callable[[], None], at_once: int = 4
) -> list[T]:
    """Return what each job returns, in order; the first exception ends them all.

    Each job is given a progress function, which passes on one call at a time and is where a job
    that goes on in vain is broken off, on Ctrl-C too. ``interrupt`` ends the waits of others.
    """
    over, lock = threading.Event(), threading.Lock()

    def told(digest: str, done_bytes: int, total_bytes: int) -> None:
        if over.is_set():
            raise _Abandoned
        with lock:
            progress(digest, done_bytes, total_bytes)

    with ThreadPoolExecutor(at_once, thread_name_prefix="leoflow-registry") as pool:
        running = [pool.submit(job, told) for job in jobs]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
            failure = _first_failure(running)
        finally:
            over.set()
            for future in running:
                future.cancel()
            # Again and again: one that was in the midst of a request begins to wait only now.
            while wait(running, timeout=_PATIENCE_SECONDS).not_done:
                interrupt()
    if failure is not None:
        raise failure
    return [future.result() for future in running]


def _first_failure(running: Sequence[Future[T]]) -> BaseException | None:
    ended = (future.exception() for future in running if future.done())
    return next((error for error in ended if error is not None), None)
