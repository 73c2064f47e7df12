"""A queue for one thread that also has to notice when a file descriptor becomes readable."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

# What is put meanwhile waits for all that was taken before it.
PATIENT_LIMIT = 20
# How often others go first.
PATIENT_TURNS = 4


class Inbox(Generic[T]):
    """Any thread puts, one takes. What was put is taken even after `close`."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._patient: deque[T] = deque()
        self._taker, self._putter = socket.socketpair()
        self._taker.setblocking(False)
        self._putter.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._taker, selectors.EVENT_READ)
        self._asleep = False
        self._passed_over = 0
        self.closed = False

    def put(self, item: T, *, patient: bool = False) -> None:
        """Add ``item``, behind all others that are not ``patient``; never waits."""
        (self._patient if patient else self._items).append(item)
        if self._asleep:
            # Whoever puts more before the taker is awake need not wake it again.
            self._asleep = False
            self._wake()

    def __len__(self) -> int:
        """Count what waits and is not patient."""
        return len(self._items)

    def close(self) -> None:
        """Let `take` return None when nothing is left."""
        self.closed = True
        self._wake()

    def dispose(self) -> None:
        """Give the descriptors back, when nobody takes any more."""
        self._selector.close()
        self._taker.close()
        self._putter.close()

    def take(self, limit: int, timeout: float | None, watched: int | None) -> list[T] | None:
        """Wait for items and return up to ``limit`` of them, or None when there will be no more.

        Of the patient ones up to ``PATIENT_LIMIT`` are taken when there are no others, and after
        the others when these went first ``PATIENT_TURNS`` times.

        Empty after ``timeout`` seconds, or when the descriptor ``watched`` can be read.
        """
        if not self._holds_any() and not self.closed:
            self._sleep(timeout, watched)
        if not self._holds_any() and self.closed:
            return None
        found = [self._items.popleft() for _ in range(min(limit, len(self._items)))]
        if found and self._patient and self._passed_over < PATIENT_TURNS:
            self._passed_over += 1
            return found
        self._passed_over = 0
        room = min(PATIENT_LIMIT, limit - len(found), len(self._patient))
        return found + [self._patient.popleft() for _ in range(room)]

    def _holds_any(self) -> bool:
        return bool(self._items or self._patient)

    def _sleep(self, timeout: float | None, watched: int | None) -> None:
        if watched is not None:
            # Anew each time: it may be another one of the same number.
            self._selector.register(watched, selectors.EVENT_READ)
        try:
            self._asleep = True
            # Whoever put before the line above saw nobody asleep.
            if not self._holds_any() and not self.closed:
                self._selector.select(timeout)
            self._asleep = False
        finally:
            if watched is not None:
                self._selector.unregister(watched)
        with suppress(BlockingIOError):
            while self._taker.recv(4096):
                pass

    def _wake(self) -> None:
        try:  # noqa: SIM105 (the context manager takes longer than all else of a put)
            self._putter.send(b"\0")
        except BlockingIOError:
            # A full buffer will wake the taker as well.
            pass
