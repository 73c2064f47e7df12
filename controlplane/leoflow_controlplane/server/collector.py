"""How often Python looks for garbage in a process that makes many objects and few cycles.

By default it looks after each 700 new objects: a fifth of what a report costs.
"""

from __future__ import annotations

import gc

# New objects before the youngest are looked at, and how many such looks before the older ones are.
_THRESHOLDS = (50_000, 20, 100)


def calm_collector() -> None:
    """Look for garbage rarely, and never again at what is there by now. Once, after the imports."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
