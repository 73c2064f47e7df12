"""The process that makes calls: what can be seen of it, and that it ends."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from callee import Callee
from callmaking import making
from house import make_call
from leoflow_agent.action import FromEnvironment
from leoflow_controlplane.inline import process

SECRET = "geheim-und-lang"


async def test_no_secret_can_be_seen_where_processes_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEOFLOW_DB", f"postgresql://{SECRET}")
    monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    headers = {"Authorization": FromEnvironment("TOKEN", "Bearer ")}
    async with Callee(lambda head: None) as callee, making() as made:
        made.send(1, make_call(callee.url, headers=headers), {"TOKEN": SECRET})
        await callee.asked.wait()
        folder = Path(f"/proc/{made.calls.pid}")
        seen = (folder / "environ").read_text() + (folder / "cmdline").read_text()
    assert SECRET in callee.heads[0].decode()
    assert SECRET not in seen
    assert "inline.child" in seen


async def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "END_SECONDS", 0.1)
    async with Callee(lambda head: None) as callee, making() as made:
        made.send(1, make_call(callee.url))
        await callee.asked.wait()
        assert made.calls.pid is not None
        handle = os.pidfd_open(made.calls.pid)
        os.kill(made.calls.pid, signal.SIGSTOP)
    assert has_ended(handle)


PARENT = """
import asyncio, sys
sys.path[:0] = {path!r}
from callmaking import Making
from house import make_call

async def main():
    made = Making()
    made.send(1, make_call({url!r}))
    while made.calls.pid is None:
        await asyncio.sleep(0.01)
    print(made.calls.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_it_does_not_outlive_a_control_plane_that_is_killed() -> None:
    async with Callee(lambda head: None) as callee:
        script = PARENT.format(path=sys.path, url=callee.url)
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdout=subprocess.PIPE
        )
        assert parent.stdout is not None
        handle = os.pidfd_open(int(await parent.stdout.readline()))
        await callee.asked.wait()
        parent.kill()
        await parent.communicate()
        assert await asyncio.to_thread(has_ended, handle)


def has_ended(handle: int) -> bool:
    """Wait for the end of a process, as long as it takes on a busy machine."""
    found, _, _ = select.select([handle], [], [], 60.0)
    os.close(handle)
    return bool(found)
