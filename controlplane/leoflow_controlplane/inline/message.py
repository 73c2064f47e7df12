"""The messages of the pipe, and who understands them. Values only.

To the process: first ``Terms``, then ``["call", id, Order]`` and ``["cancel", id]``. From it:
``["ready"]``, ``["line", id, text]``, ``["over", id, state, reason, value]``; a frame without a
message says that it is alive. A call that was cancelled is over as well. Ids are numbers.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from leoflow_agent.wire import HttpRequest

Ending = Literal["success", "failed", "cancelled"]

# How often the process says that it is alive.
PULSE_SECONDS = 5.0


class Terms(TypedDict):
    """What holds for all calls of a process. ``proxies`` are the variables that name them: they may
    have passwords in them, which whoever lists processes must not see."""

    allowed_hosts: list[str]
    connections: int
    connections_per_host: int
    xcom_limit_bytes: int
    response_limit_bytes: int
    proxies: dict[str, str]


class Order(TypedDict):
    """A call to make, within ``seconds``. ``environment`` has the variables that ``request`` names
    and no other."""

    task_id: str
    request: HttpRequest
    environment: dict[str, str]
    seconds: float


def variables_of(request: HttpRequest) -> set[str]:
    """Name the variables that a request is to be filled in with."""
    sources: list[Any] = [request["url"], *request["headers"].values(), *request["query"].values()]
    return {source["env"] for source in sources if not isinstance(source, str)}


def frame_limit(terms: Terms) -> int:
    """Give the most bytes that a frame of the process may have; it is full long before, but for a
    single message.

    A result is within its limit without blanks: blanks at most double it, and so does writing it
    as a string of JSON. What else is told may quote from an answer.
    """
    return 4 * (terms["xcom_limit_bytes"] + terms["response_limit_bytes"]) + 2**20
