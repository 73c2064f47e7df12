"""What a reporter asks for the task: its inputs and the values of others, in their order."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from fakechannel import acked, make_reporter, step
from leoflow_agent.inquiry import Inquiry
from leoflow_agent.stream import NEVER


def waiting_task():
    return SimpleNamespace(workload={"execution_timeout_seconds": 60}, stopped=None, deadline=1.0)


@pytest.fixture
def asking():
    """A reporter for a task that asks, and what returns the answers that the task can read."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def make(*answers):
        reporter, outbox = make_reporter(*answers)
        reporter.inquiry = Inquiry(writing, outbox, ())
        return reporter, outbox

    def answered():
        try:
            data = os.read(reading, 65536)
        except BlockingIOError:
            return []
        found = []
        while data:
            end = 4 + int.from_bytes(data[:4], "big")
            found.append(data[4:end])
            data = data[end:]
        return found

    yield make, answered
    os.close(reading)
    os.close(writing)


def test_inputs_are_asked_for_once_the_start_is_acknowledged(asking):
    make, answered = asking
    reporter, outbox = make((503, b""), acked(1), (200, b'{"args": []}'))
    task = waiting_task()
    reporter.inquiry.ask_inputs(task)
    outbox.add("started")
    for now in (0.0, 100.0):
        step(reporter, now)
        assert answered() == []
        assert task.deadline == NEVER
    step(reporter, 100.0)
    assert answered() == [b'{"args": []}']
    assert task.deadline < NEVER
    assert [request[0] for request in reporter.channel.requests] == ["POST", "POST", "GET"]


def test_the_time_of_a_task_that_was_stopped_before_it_had_inputs_is_its_grace(asking):
    make, answered = asking
    reporter, outbox = make(acked(1), (200, b'{"args": []}'))
    task = waiting_task()
    reporter.inquiry.ask_inputs(task)
    task.stopped, task.deadline = (125, "stopped"), 10.0
    outbox.add("started")
    step(reporter, 0.0)
    step(reporter, 0.0)
    assert answered() == [b'{"args": []}']
    assert task.deadline == 10.0


def test_an_agent_that_is_refused_gets_no_inputs(asking):
    make, answered = asking
    reporter, outbox = make((401, b"the token is in use by another agent"))
    reporter.inquiry.ask_inputs(waiting_task())
    outbox.add("started")
    for now in (0.0, 100.0):
        step(reporter, now)
    assert reporter.refused
    assert answered() == []
    assert [request[0] for request in reporter.channel.requests] == ["POST"]


def test_a_pull_is_asked_for_after_what_was_pushed_before_and_answered_in_order(asking):
    make, answered = asking
    reporter, outbox = make(acked(1), (200, b'{"value":1}'), (200, b'{"value":2}'), acked(2))
    outbox.add("xcom", '"key":"a","value":1')
    reporter.inquiry.ask_xcom({"task_id": "t", "key": "a b/\u00e9", "map_index": -1})
    reporter.inquiry.ask_xcom({"task_id": "t", "key": "b", "map_index": 3})
    outbox.add("heartbeat")
    for now in range(4):
        step(reporter, float(now))
    assert [request[1] for request in reporter.channel.requests] == [
        "/agent/v1/events",
        "/agent/v1/xcom?task_id=t&key=a%20b%2F%C3%A9&map_index=%2D1",
        "/agent/v1/xcom?task_id=t&key=b&map_index=3",
        "/agent/v1/events",
    ]
    assert answered() == [b'{"value":1}', b'{"value":2}']


def test_a_report_under_way_is_not_taken_for_the_answer_to_a_pull(asking):
    make, answered = asking
    reporter, outbox = make(acked(1), (200, b'{"value":1}'))
    outbox.add("started")
    reporter.pump(0.0)
    reporter.inquiry.ask_xcom({"task_id": "t", "key": "k", "map_index": -1})
    reporter.advance(0.0)
    assert not outbox
    assert answered() == []
    step(reporter, 0.0)
    assert answered() == [b'{"value":1}']


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_pull_that_is_refused_is_the_tasks_to_know(status, asking):
    make, answered = asking
    reporter, _ = make((status, b"no task 'x'"))
    reporter.inquiry.ask_xcom({"task_id": "x", "key": "k", "map_index": -1})
    step(reporter, 0.0)
    assert not reporter.refused
    said = {"error": f"the control plane answered with {status}: no task 'x'"}
    assert [json.loads(answer) for answer in answered()] == [said]


@pytest.mark.parametrize("status", [401, 409, 426])
def test_a_pull_of_a_try_that_is_over_ends_it(status, asking):
    reporter, _ = asking[0]((status, b"over"))
    reporter.inquiry.ask_xcom({"task_id": "x", "key": "k", "map_index": -1})
    step(reporter, 0.0)
    assert reporter.refused


def test_an_answer_that_is_no_object_does_not_reach_the_task(asking):
    make, answered = asking
    reporter, _ = make((200, b"<html>"), (200, b'{"value":1}'))
    reporter.inquiry.ask_xcom({"task_id": "x", "key": "k", "map_index": -1})
    step(reporter, 0.0)
    assert answered() == []
    step(reporter, 1.0)
    assert answered() == [b'{"value":1}']
