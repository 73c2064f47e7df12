"""A desk for agents that answers by the token: what an AgentApp is tried with."""

from __future__ import annotations

import asyncio

from leoflow_agent.wire import Acknowledgement, Inputs, Pulled, Report
from leoflow_controlplane.error import DatabaseUnusable, Refused, Stale, Unauthorized
from leoflow_controlplane.model import TryKey

REPORT = {"protocol": 1, "nonce": "n", "events": [{"seq": 1, "at": 1.0, "type": "heartbeat"}]}
INPUTS = Inputs(args=[1], kwargs={}, environment={}, request=None)


class FakeDesk:
    """Knows the token ``good``, a try that is over, ``old``, one that fills the disk, and one that
    can have no inputs, ``less``."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.answer = Acknowledgement(ack=1, terminate=None, heartbeat_seconds=3.0)

    def _check(self, token: str) -> None:
        if token == "torn":
            raise RuntimeError("a defect")
        if token == "old":
            raise Stale("try 1 of task 'a' is over")
        if token == "full":
            raise DatabaseUnusable("disk is full")
        if token != "good":
            raise Unauthorized("unknown token")

    def check_token(self, token: str) -> TryKey:
        if token not in ("good", "old", "full", "torn", "less"):
            raise Unauthorized("unknown token")
        return TryKey("d", "r", "a", -1, 1)

    def take_report(self, token: str, report: Report) -> asyncio.Future[Acknowledgement]:
        self._check(token)
        self.reports.append(report)
        taken: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        taken.set_result(self.answer)
        return taken

    async def give_inputs(self, token: str) -> Inputs:
        if token == "less":
            raise Refused("there is no instance 7")
        self._check(token)
        return INPUTS

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        self._check(token)
        return Pulled(value=[task_id, key, map_index], error=None)
