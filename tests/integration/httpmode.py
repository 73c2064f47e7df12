"""An http_api task in both forms: as in a container, and as in the control plane."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from httpfault import Request
from leoflow_agent import exitcode
from leoflow_agent.action import (
    HttpAction,
    HttpCondition,
)
from leoflow_agent.http import task
from leoflow_controlplane.inline.conversation import Caller
from leoflow_controlplane.inline.message import Order
from leoflow_controlplane.inlinecalls import make_terms
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.outbound.client import make_transport
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.setting import Settings

SECRET = "geheim-7f3a9"


DONE = HttpCondition(path="state", one_of=("done",))


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Outcome(NamedTuple):
    value: Any
    reason: str | None
    lines: list[str]

    @property
    def text(self) -> str:
        """All that anybody gets to see of it but the result."""
        return "\n".join([*self.lines, self.reason or ""])


Mode = Callable[..., Outcome]


def inline(action: HttpAction, environment: Mapping[str, str], limit: int) -> Outcome:
    import asyncio

    async def run() -> Outcome:
        lines: list[str] = []
        settings = Settings(
            max_parallel_tasks=1, xcom_limit_bytes=limit, inline_allowed_hosts=LOOPBACK
        )
        transport = make_transport(settings.inline_allowed_hosts, 1, 1)
        request = resolve_request(action, {})
        order = Order(task_id="t", request=request, environment=dict(environment), seconds=20.0)

        async def say(line: str) -> None:
            lines.append(line)

        ended = await Caller(make_terms(settings), transport).call(order, say)
        await transport.aclose()
        value = None if ended.value is None else json.loads(ended.value)
        return Outcome(value, ended.reason, lines)

    return asyncio.run(run())


def make_mode(form: str, capfd: pytest.CaptureFixture[str]) -> Mode:
    """Return what runs an HttpAction: `mode(url, environment={…}, limit=…, field=…)`."""

    def pod(action: HttpAction, environment: Mapping[str, str], limit: int) -> Outcome:
        filled_in = json.loads(json.dumps(resolve_request(action, {})))
        inputs: Any = {"request": filled_in, "environment": environment}
        workload: Any = {"context": {"task_id": "t"}, "xcom_limit_bytes": limit}
        capfd.readouterr()
        try:
            value, reason = task.send(inputs, workload), None
        except exitcode.Verdict as verdict:
            value, reason = None, verdict.reason
        return Outcome(value, reason, capfd.readouterr().out.splitlines())

    send = pod if form == "pod" else inline

    def run(
        url: Any, environment: Mapping[str, str] | None = None, limit: int = 4096, **fields: Any
    ) -> Outcome:
        return send(HttpAction(url, **fields), environment or {}, limit)

    return run


def in_turn(*replies: Any) -> Callable[[Request], Any]:
    """Answer with each of ``replies``, and with the last one from then on."""
    return lambda request: replies[min(request.count, len(replies)) - 1]
