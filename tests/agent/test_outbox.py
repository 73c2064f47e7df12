"""The outbox keeps what is not acknowledged, in order, within its bound."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent import outbox as outbox_module
from leoflow_agent.outbox import Outbox


def test_an_empty_outbox_is_false():
    assert not Outbox()


def test_events_are_json_with_growing_numbers():
    outbox = Outbox()
    outbox.add("started", '"agent_up":1.5')
    outbox.add("heartbeat")
    events = json.loads(outbox.batch())
    assert [(event["seq"], event["type"]) for event in events] == [(1, "started"), (2, "heartbeat")]
    assert events[0]["agent_up"] == 1.5
    assert (outbox.last, outbox.holds(0), outbox.holds(1)) == (2, False, True)


@given(st.integers(0, 30), st.lists(st.integers(-1, 40), max_size=5))
def test_exactly_what_is_acknowledged_and_was_sent_is_forgotten(count, acknowledgements):
    outbox = Outbox()
    for _ in range(count):
        outbox.add_log("stdout", "line\n", 5)
    outbox.batch()
    outbox.add("heartbeat")
    done = 0
    for ack in acknowledgements:
        with contextlib.suppress(ValueError):
            outbox.acknowledge(ack)
            assert done < ack <= count
            done = ack
    left = [event["seq"] for event in json.loads(outbox.batch())]
    assert left == list(range(done + 1, count + 2))


@pytest.mark.parametrize("ack", [0, -5, 3, 10**30])
def test_an_acknowledgement_of_what_was_not_sent_is_refused(ack):
    outbox = Outbox()
    outbox.add("started")
    outbox.add("heartbeat")
    outbox.batch()
    outbox.add("heartbeat")
    with pytest.raises(ValueError, match="which was not sent"):
        outbox.acknowledge(ack)
    assert len(json.loads(outbox.batch())) == 3


def test_a_batch_has_a_bound_and_always_one_event(monkeypatch):
    monkeypatch.setattr(outbox_module, "MAX_BATCH_BYTES", 100)
    outbox = Outbox()
    outbox.add_log("stdout", "x" * 500, 500)
    outbox.add("heartbeat")
    assert [event["seq"] for event in json.loads(outbox.batch())] == [1]


def test_a_full_log_drops_lines_says_so_and_keeps_the_verdict(monkeypatch):
    monkeypatch.setattr(outbox_module, "MAX_LOG_BYTES", 10)
    outbox = Outbox()
    for text in ("12345678\n", "lost line\n", "lost too\n"):
        outbox.add_log("stdout", text, len(text))
    outbox.finish('"state":"success"')
    events = json.loads(outbox.batch())
    assert [event["type"] for event in events] == ["log", "log", "finished"]
    assert "19 bytes of the log were dropped" in events[1]["text"]


def test_there_is_room_again_once_the_log_is_acknowledged(monkeypatch):
    monkeypatch.setattr(outbox_module, "FULL_LOG_BYTES", 10)
    monkeypatch.setattr(outbox_module, "MAX_LOG_BYTES", 10)
    outbox = Outbox()
    outbox.add_log("stdout", "12345678\n", 9)
    assert outbox.is_full
    outbox.batch()
    outbox.acknowledge(1)
    assert not outbox.is_full
    outbox.add_log("stdout", "12345679\n", 9)
    assert json.loads(outbox.batch())[0]["text"] == "12345679\n"
