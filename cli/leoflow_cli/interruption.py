"""What Ctrl-C, SIGTERM and SIGHUP do to a run: the first one cancels it, the next one drops it.

A cancelled run's tasks are told to stop and have time to clean up, which is seen as it happens.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Takes the signals of this process for as long as its event loop runs.

    ``say`` is called with what the user should know; ``grace_seconds`` is what tasks have. Signals
    that are ignored stay so.
    """

    def __init__(
        self, main: asyncio.Task[Any], say: Callable[[str], None], grace_seconds: float
    ) -> None:
        self._main = main
        self._say = say
        self._grace_seconds = grace_seconds
        self._cancel: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._cancelling: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Take the signals."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self.interrupt)

    def cancels(self, cancel: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let the first signal from now on call ``cancel``; until then it drops everything."""
        self._cancel = cancel

    @property
    def has_come(self) -> bool:
        """Whether the run was cancelled by a signal."""
        return self._cancelling is not None

    def interrupt(self) -> None:
        """Do what one signal asks for."""
        if self._cancel is None or self._cancelling is not None:
            self._main.cancel()
            return
        self._say(
            f"stopping: tasks have {self._grace_seconds:g} s to clean up, interrupt again to end "
            "them at once"
        )
        self._cancelling = asyncio.ensure_future(self._cancel())
        self._cancelling.add_done_callback(self._drop_if_failed)

    def _drop_if_failed(self, cancelling: asyncio.Task[None]) -> None:
        if cancelling.cancelled() or cancelling.exception() is not None:
            self._main.cancel()
