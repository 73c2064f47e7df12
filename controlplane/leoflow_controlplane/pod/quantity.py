"""Amounts as Kubernetes writes them. Pure."""

from __future__ import annotations

from typing import Any

from leoflow_agent.spec import Quantities, Resources

_UNITS = (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024))


def bytes_quantity(size: int) -> str:
    """Write a number of bytes in the largest unit that holds it exactly."""
    for unit, factor in _UNITS:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def cpu_quantity(millis: int) -> str:
    """Write thousandths of a core."""
    return f"{millis}m" if millis % 1000 else str(millis // 1000)


def make_resources(resources: Resources) -> dict[str, Any]:
    """Translate a task's resources, as container.make_resources does for Docker: only a CPU limit
    that was declared is one, and memory is limited by its limit, else its request.

    What nodes announce by name cannot be overcommitted: its request and its limit are the same.
    """
    requests, limits = resources.requests, resources.limits
    named = {**requests.extended, **limits.extended}
    held = limits.memory_bytes or requests.memory_bytes
    capped = Quantities(limits.cpu_millis, held, limits.ephemeral_storage_bytes, named)
    asked = Quantities(
        requests.cpu_millis, requests.memory_bytes, requests.ephemeral_storage_bytes, named
    )
    made = {"requests": _write(asked), "limits": _write(capped)}
    return {kind: amounts for kind, amounts in made.items() if amounts}


def _write(quantities: Quantities) -> dict[str, str]:
    amounts = {}
    if quantities.cpu_millis is not None:
        amounts["cpu"] = cpu_quantity(quantities.cpu_millis)
    if quantities.memory_bytes is not None:
        amounts["memory"] = bytes_quantity(quantities.memory_bytes)
    if quantities.ephemeral_storage_bytes is not None:
        amounts["ephemeral-storage"] = bytes_quantity(quantities.ephemeral_storage_bytes)
    return {**amounts, **{name: str(count) for name, count in quantities.extended.items()}}
