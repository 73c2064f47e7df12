"""Webhooks of a server: one message for each end, signed, and none lost by a restart."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hall import Hall, open_hall, until
from house import make_task
from leoflow_agent.spec import Webhook
from leoflow_controlplane.executor.fake import FakeAgent, succeed
from leoflow_controlplane.verdict import Exit
from receiver import Receiver

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
FLAGS: dict[str, Any] = {"inline_allowed_hosts": "127.0.0.0/8", "webhook_secret": SECRET}


async def fail_b(agent: FakeAgent) -> Exit:
    """Play a task that succeeds unless its name is 'b'."""
    if agent.launch.key.task_id != "b":
        return await succeed(agent)
    await agent.start()
    return Exit(await agent.finish("failed", reason="no luck"))


async def still_waits(hall: Hall) -> bool:
    """Tell whether this server has not delivered a message yet."""
    delivered = 'leoflow_webhooks_total{outcome="delivered"} 1.0'
    return delivered not in (await hall.api.get("/metrics")).text


def field(head: str, name: str) -> str:
    return head.partition(f"{name}: ")[2].partition("\r")[0]


async def test_each_end_is_told_once_and_signed(tmp_path: Path) -> None:
    receiver = Receiver()
    async with receiver.listen() as url, open_hall(tmp_path, fail_b, **FLAGS) as hall:
        place = {"host": "127.0.0.1", "port": urlsplit(url).port, "schema": "hook"}
        stored = {"connection_id": "hook", "conn_type": "http", **place}
        answer = await hall.api.post("/api/v2/connections", json=stored)
        assert answer.status_code == 201, answer.text
        plain, named = Webhook(url=url), Webhook(connection="hook")
        await hall.push(
            make_task("a", on_success=(plain,), on_failure=(plain,)),
            make_task("b", on_success=(plain,), on_failure=(named,)),
            on_success=(plain,),
            on_failure=(plain,),
        )
        await hall.trigger("r")
        assert await hall.wait("r") == "failed"
        await until(lambda: len(receiver.got) == 3)
    told = {(json.loads(body)["task_id"], json.loads(body)["state"]) for _, body in receiver.got}
    assert told == {("a", "success"), ("b", "failed"), (None, "failed")}
    for head, body in receiver.got:
        signed = ".".join((field(head, "webhook-id"), field(head, "webhook-timestamp"), body))
        mac = base64.b64encode(hmac.new(KEY, signed.encode(), hashlib.sha256).digest()).decode()
        # The receiver writes heads in small letters.
        assert field(head, "webhook-signature") == f"v1,{mac}".lower()


async def test_what_was_not_delivered_is_by_the_next_server(tmp_path: Path) -> None:
    # The first one hears no answer before it ends.
    receiver = Receiver(gate=2)
    async with receiver.listen() as url:
        async with open_hall(tmp_path, **FLAGS) as hall:
            await hall.push(make_task("a"), on_success=(Webhook(url=url),))
            await hall.trigger("r")
            assert await hall.wait("r") == "success"
            await until(lambda: receiver.got)
        async with open_hall(tmp_path, **FLAGS) as hall:
            await until(lambda: len(receiver.got) == 2)
            async with asyncio.timeout(60):
                while await still_waits(hall):
                    await asyncio.sleep(0.01)
    assert len(receiver.got) == 2
    assert len(set(receiver.ids())) == 1
