"""Who is told what happens in a control plane. `leoflow run` has nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from leoflow_controlplane.book.book import Progress
from leoflow_controlplane.observer import SILENT, Observer


def _ignore(_progress: Progress) -> None:
    """Let it pass."""


class Audience(NamedTuple):
    """``observer`` counts. ``followed`` gets what a step led to, once that is durable; it is called
    in the event loop and must be quick. ``traces``: somebody collects traces, so each try is told
    of its own."""

    observer: Observer = SILENT
    followed: Callable[[Progress], None] = _ignore
    traces: bool = False


NOBODY = Audience()
