"""An emulated cluster as a process of its own, which takes nothing from who uses it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

FOLDER = Path(__file__).parent


@asynccontextmanager
async def emulator(folder: Path, *settings: Any) -> AsyncIterator[Any]:
    """Run a cluster as a process; give how to ask it. ``settings`` as `emulator.__main__` says."""
    process = await run("-m", "emulator", folder, *settings)
    async with asyncio.timeout(60):
        while not (folder / "kubeconfig").exists():
            assert process.returncode is None
            await asyncio.sleep(0.02)
    connector = aiohttp.UnixConnector(str(folder / "orders.sock"))
    async with aiohttp.ClientSession("http://emulator", connector=connector) as session:

        async def ask(method: str, order: str) -> Any:
            async with session.request(method, f"/emulator/{order}") as answer:
                return await answer.json()

        try:
            yield ask
        finally:
            end_group(process)
            await process.wait()


async def run(*arguments: Any, stdout: bool = False) -> asyncio.subprocess.Process:
    """Start a Python program of this folder."""
    pipe = asyncio.subprocess.PIPE if stdout else None
    return await asyncio.create_subprocess_exec(
        sys.executable, *map(str, arguments), cwd=FOLDER, stdout=pipe, start_new_session=True
    )


def end_group(process: asyncio.subprocess.Process) -> None:
    """End a program and its forks, whatever became of them."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
