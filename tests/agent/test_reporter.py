"""When the agent talks to the control plane: at once, with backoff, with heartbeats, or no more."""

from __future__ import annotations

import json

import pytest
from leoflow_agent.channel import ChannelError
from leoflow_agent.outbox import Outbox
from leoflow_agent.reporter import LONGEST_PAUSE_SECONDS, Reporter


class Channel:
    """Stands for the connection: each request is answered by the next of ``answers``."""

    def __init__(self, answers) -> None:
        self.answers = list(answers)
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


def _ok(ack, terminate=None, heartbeat_seconds=10):
    reply = {"ack": ack, "terminate": terminate, "heartbeat_seconds": heartbeat_seconds}
    return 200, json.dumps(reply).encode()


def _reporter(*answers, inputs=True):
    outbox = Outbox()
    workload = {"endpoint": "unix:/x", "token": "t", "heartbeat_seconds": 10.0}
    workload["inputs"] = {} if inputs else None
    reporter = Reporter(workload, outbox)
    reporter.channel = Channel(answers)
    return reporter, outbox


def _step(reporter, now):
    reporter.pump(now)
    if reporter.channel.busy:
        reporter.advance(now)


def test_events_go_at_once_and_are_forgotten_once_acknowledged():
    reporter, outbox = _reporter(_ok(1))
    outbox.add("started")
    _step(reporter, 0.0)
    (request,) = reporter.channel.requests
    assert request[:2] == ("POST", "/agent/v1/events")
    assert [event["seq"] for event in json.loads(request[2])["events"]] == [1]
    assert not outbox


def test_the_nonce_stays_the_same():
    reporter, outbox = _reporter(_ok(1), _ok(2))
    for now in (0.0, 1.0):
        outbox.add("heartbeat")
        _step(reporter, now)
    nonces = {json.loads(request[2])["nonce"] for request in reporter.channel.requests}
    assert len(nonces) == 1


@pytest.mark.parametrize("failure", [ChannelError("gone"), (500, b""), (200, b"{}"), (200, b"x")])
def test_after_a_failure_it_waits_and_sends_the_same_again(failure):
    reporter, outbox = _reporter(failure, _ok(1))
    outbox.add("started")
    _step(reporter, 0.0)
    assert 0.0 < reporter.seconds_to_wait(0.0) <= 0.2
    _step(reporter, 0.01)
    assert len(reporter.channel.requests) == 1
    _step(reporter, 1.0)
    bodies = [json.loads(request[2])["events"] for request in reporter.channel.requests]
    assert bodies[0] == bodies[1]
    assert not outbox


def test_pauses_grow_to_a_limit():
    reporter, outbox = _reporter(*[ChannelError("gone")] * 12)
    outbox.add("started")
    now, pauses = 0.0, []
    for _ in range(12):
        _step(reporter, now)
        pauses.append(reporter.seconds_to_wait(now))
        now += pauses[-1] + 0.001
    assert pauses[-1] > 5 * pauses[0]
    assert max(pauses) <= 1.5 * LONGEST_PAUSE_SECONDS


def test_a_heartbeat_is_sent_after_the_interval_that_the_server_chose():
    reporter, outbox = _reporter(_ok(1, heartbeat_seconds=3), _ok(2, heartbeat_seconds=3))
    outbox.add("started")
    _step(reporter, 0.0)
    _step(reporter, 9.9)
    assert len(reporter.channel.requests) == 1
    _step(reporter, 10.0)
    assert json.loads(reporter.channel.requests[1][2])["events"][0]["type"] == "heartbeat"
    assert reporter.seconds_to_wait(10.0) == 3.0


def test_terminate_is_passed_on():
    reporter, outbox = _reporter(_ok(1, terminate="cancelled"))
    outbox.add("started")
    _step(reporter, 0.0)
    assert reporter.terminate == "cancelled"


@pytest.mark.parametrize("status", [400, 401, 409, 426])
def test_a_refusal_is_believed_and_ends_the_talk(status):
    reporter, outbox = _reporter((status, b"try 1 is over"))
    outbox.add("started")
    _step(reporter, 0.0)
    _step(reporter, 100.0)
    assert reporter.refused
    assert f"({status}): try 1 is over" in reporter.terminate
    assert len(reporter.channel.requests) == 1


def test_missing_inputs_are_asked_for_before_anything_is_said():
    reporter, outbox = _reporter((200, b'{"args": []}'), _ok(1), inputs=False)
    outbox.add("started")
    _step(reporter, 0.0)
    assert reporter.answers == [b'{"args": []}']
    _step(reporter, 0.0)
    assert [request[0] for request in reporter.channel.requests] == ["GET", "POST"]


def test_a_pull_is_asked_for_after_what_was_pushed_before_and_answered_in_order():
    reporter, outbox = _reporter(_ok(1), (200, b'{"value":1}'), (200, b'{"value":2}'), _ok(2))
    outbox.add("xcom", '"key":"a","value":1')
    reporter.pull({"task_id": "t", "key": "a b/\u00e9", "map_index": -1})
    reporter.pull({"task_id": "t", "key": "b", "map_index": 3})
    outbox.add("heartbeat")
    for now in range(4):
        _step(reporter, float(now))
    assert [request[1] for request in reporter.channel.requests] == [
        "/agent/v1/events",
        "/agent/v1/xcom?task_id=t&key=a%20b%2F%C3%A9&map_index=%2D1",
        "/agent/v1/xcom?task_id=t&key=b&map_index=3",
        "/agent/v1/events",
    ]
    assert reporter.answers == [b'{"value":1}', b'{"value":2}']


def test_a_report_under_way_is_not_taken_for_the_answer_to_a_pull():
    reporter, outbox = _reporter(_ok(1), (200, b'{"value":1}'))
    outbox.add("started")
    reporter.pump(0.0)
    reporter.pull({"task_id": "t", "key": "k", "map_index": -1})
    reporter.advance(0.0)
    assert not outbox
    assert reporter.answers == []
    _step(reporter, 0.0)
    assert reporter.answers == [b'{"value":1}']
