"""A reporter of the agent's whose connection only pretends, and what it is answered."""

from __future__ import annotations

import json

from leoflow_agent.outbox import Outbox
from leoflow_agent.reporter import Reporter


class Channel:
    """Stands for the connection: each request is answered by the next of ``answers``."""

    def __init__(self, answers) -> None:
        self.answers = list(answers)
        self.token = "t"
        self.requests: list[tuple[str, str, str]] = []
        self.busy = False
        self.deadline = 0.0

    def request(self, method, path, now, body="") -> None:
        self.requests.append((method, path, body))
        self.busy = True

    def advance(self):
        self.busy = False
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def check_deadline(self, now) -> None:
        pass


def acked(ack, terminate=None, heartbeat_seconds=10):
    reply = {"ack": ack, "terminate": terminate, "heartbeat_seconds": heartbeat_seconds}
    return 200, json.dumps(reply).encode()


def make_reporter(*answers):
    outbox = Outbox()
    workload = {"endpoint": "unix:/x", "token": "t", "heartbeat_seconds": 10.0}
    reporter = Reporter(workload, outbox)
    reporter.channel = Channel(answers)
    return reporter, outbox


def step(reporter, now):
    reporter.pump(now)
    if reporter.channel.busy:
        reporter.advance(now)
