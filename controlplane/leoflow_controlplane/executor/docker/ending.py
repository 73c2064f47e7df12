"""How a container ended, as the engine tells it. Talks to no engine."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple


class End(NamedTuple):
    """How a container ended; instants are seconds since the epoch."""

    exit_code: int
    oom_killed: bool
    error: str | None
    started_at: float | None
    ended_at: float | None


def read_state(state: dict[str, Any]) -> End:
    """Read the state of a container that has ended."""
    return End(
        exit_code=int(state["ExitCode"]),
        oom_killed=bool(state["OOMKilled"]),
        error=state.get("Error") or None,
        started_at=read_instant(state["StartedAt"]),
        ended_at=read_instant(state["FinishedAt"]),
    )


def read_instant(text: str) -> float | None:
    """Read the engine's RFC 3339 instant with nanoseconds; None for its zero value."""
    if text.startswith("0001-"):
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")
