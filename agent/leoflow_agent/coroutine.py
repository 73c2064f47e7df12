"""Awaits what an async task returns. Imported only for those."""

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable


def run(result: "Awaitable[object]") -> object:
    """Return what ``result`` comes to, on an event loop of its own."""
    return asyncio.run(_await(result))


async def _await(result: "Awaitable[object]") -> object:
    return await result
