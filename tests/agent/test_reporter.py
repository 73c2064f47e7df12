"""When the agent talks to the control plane: at once, with backoff, with heartbeats, or no more."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter

import pytest
from fakechannel import acked, make_reporter, step
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent import setback
from leoflow_agent.channel import ChannelError
from leoflow_agent.setback import LONGEST_PAUSE_SECONDS


def test_a_token_that_comes_with_an_answer_is_used_from_then_on() -> None:
    answer = {"ack": 1, "terminate": None, "heartbeat_seconds": 10}
    renewed = (200, json.dumps({**answer, "token": "fresh"}).encode())
    reporter, outbox = make_reporter(renewed, acked(2))
    for _ in range(2):
        outbox.add("heartbeat")
        reporter.pump(0.0)
        reporter.advance(0.0)
        assert reporter.channel.token == "fresh"


def test_events_go_at_once_and_are_forgotten_once_acknowledged():
    reporter, outbox = make_reporter(acked(1))
    outbox.add("started")
    step(reporter, 0.0)
    (request,) = reporter.channel.requests
    assert request[:2] == ("POST", "/agent/v1/events")
    assert [event["seq"] for event in json.loads(request[2])["events"]] == [1]
    assert not outbox


def test_the_nonce_stays_the_same():
    reporter, outbox = make_reporter(acked(1), acked(2))
    for now in (0.0, 1.0):
        outbox.add("heartbeat")
        step(reporter, now)
    nonces = {json.loads(request[2])["nonce"] for request in reporter.channel.requests}
    assert len(nonces) == 1


def _odd(**fields):
    return 200, json.dumps(
        {"ack": 1, "terminate": None, "heartbeat_seconds": 10, **fields}
    ).encode()


BAD = [
    ChannelError("gone"),
    (500, b""),
    (503, b""),
    (429, b""),
    (408, b""),
    (302, b""),
    (204, b""),
    (200, b""),
    (200, b"{}"),
    (200, b"x"),
    (200, b"[1]"),
    (200, b"null"),
    (200, b"\xff\xfe"),
    (200, b"[" * 60_000),
    (200, b'{"ack":1,"terminate":null,"heartbeat_seconds":' + b"9" * 4000 + b"}"),
    (200, b'{"ack":1,"terminate":null,"heartbeat_seconds":10}' + b" " * 70_000),
    _odd(ack="1"),
    _odd(ack=True),
    _odd(ack=1.0),
    _odd(ack=None),
    _odd(ack=-1),
    _odd(ack=0),
    _odd(ack=2),
    _odd(terminate=5),
    _odd(terminate=["x"]),
    _odd(heartbeat_seconds="x"),
    _odd(heartbeat_seconds=float("nan")),
    _odd(heartbeat_seconds=0),
    _odd(heartbeat_seconds=-1),
    _odd(heartbeat_seconds=None),
    _odd(heartbeat_seconds=[]),
    _odd(token=None),
    _odd(token="a\r\nHost: elsewhere"),
    _odd(token="é"),
]


@pytest.mark.parametrize("failure", BAD, ids=range(len(BAD)))
def test_after_a_failure_it_waits_and_sends_the_same_again(failure):
    reporter, outbox = make_reporter(failure, acked(1))
    outbox.add("started")
    step(reporter, 0.0)
    assert 0.0 < reporter.seconds_to_wait(0.0) <= 0.2
    step(reporter, 0.01)
    assert len(reporter.channel.requests) == 1
    step(reporter, 1.0)
    bodies = [json.loads(request[2])["events"] for request in reporter.channel.requests]
    assert bodies[0] == bodies[1]
    assert not outbox


def _pauses(away_seconds):
    """Give the instants of the attempts and how long it waited after each."""
    reporter, outbox = make_reporter(*[ChannelError("gone")] * 1000)
    outbox.add("started")
    now, pauses = 0.0, []
    while now < away_seconds:
        step(reporter, now)
        pauses.append((now, reporter.seconds_to_wait(now)))
        now += pauses[-1][1] + 0.001
    return pauses


def test_a_control_plane_that_was_away_for_seconds_is_found_within_seconds():
    assert max(pause for _, pause in _pauses(60.0)) < 3.001


def test_pauses_grow_with_the_absence_to_a_limit():
    pauses = _pauses(3600.0)
    late = [pause for at, pause in pauses if at > 600.0]
    assert max(late) <= 1.5 * LONGEST_PAUSE_SECONDS + 0.001
    assert min(late) >= 0.5 * LONGEST_PAUSE_SECONDS - 0.001
    assert all(pause <= max(3.0, at / 20) + 0.01 for at, pause in pauses)


def test_a_thousand_agents_do_not_come_back_all_at_once():
    returns = [at + pause - 30.0 for at, pause in (_pauses(30.0)[-1] for _ in range(1000))]
    tenths = Counter(int(10 * seconds) for seconds in returns)
    assert max(tenths.values()) < 200


def test_a_new_absence_begins_with_short_pauses():
    reporter, outbox = make_reporter(*[ChannelError("gone")] * 9, acked(1), ChannelError("gone"))
    outbox.add("started")
    now = 0.0
    for number in range(11):
        if number == 10:
            outbox.add("heartbeat")
        step(reporter, now)
        wait = reporter.seconds_to_wait(now)
        now += wait + 1000.0
    assert wait <= 0.2


def test_a_heartbeat_is_sent_after_the_interval_that_the_server_chose():
    reporter, outbox = make_reporter(acked(1, heartbeat_seconds=3), acked(2, heartbeat_seconds=3))
    outbox.add("started")
    step(reporter, 0.0)
    step(reporter, 9.9)
    assert len(reporter.channel.requests) == 1
    step(reporter, 10.0)
    assert json.loads(reporter.channel.requests[1][2])["events"][0]["type"] == "heartbeat"
    assert reporter.seconds_to_wait(10.0) == 3.0


@pytest.mark.parametrize(
    ("chosen", "kept"), [(1e308, 3600.0), (float("inf"), 3600.0), (1e-9, 0.1), (7, 7.0)]
)
def test_an_interval_out_of_all_bounds_is_brought_back(chosen, kept):
    reporter, outbox = make_reporter(acked(1), acked(2, heartbeat_seconds=chosen), acked(3))
    outbox.add("started")
    for now in (0.0, 10.0, 20.0):
        step(reporter, now)
        outbox.add("heartbeat")
    assert reporter._heartbeat_seconds in (kept, 10.0)
    assert reporter._heartbeat_at == 20.0 + kept


_shapes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
_bodies = st.one_of(
    st.binary(max_size=60),
    _shapes.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"ack": _shapes, "terminate": _shapes, "heartbeat_seconds": _shapes}).map(
        lambda value: json.dumps(value).encode()
    ),
)
_answers = st.one_of(
    st.builds(ChannelError, st.just("gone")),
    st.tuples(st.sampled_from([100, 200, 204, 302, 408, 429, 500, 503]), _bodies),
)


@given(st.lists(_answers, max_size=12))
def test_no_answers_whatever_lose_an_event_or_start_a_storm(answers):
    """Whatever came before, a control plane that works then gets all that is left, in order."""
    reporter, outbox = make_reporter(*answers, *[(503, b"")] * 1000)
    for _ in range(5):
        outbox.add("heartbeat")
    for millisecond in range(1000):
        step(reporter, millisecond / 1000)
    assert len(reporter.channel.requests) < 20
    last = 5 if outbox else 0
    reporter.channel.answers = [acked(last)]
    step(reporter, 1000.0)
    seen = [
        [event["seq"] for event in json.loads(request[2])["events"]]
        for request in reporter.channel.requests
    ]
    for one, following in itertools.pairwise(seen):
        assert following[0] in (*one, one[-1] + 1)
    assert seen[-1][-1] >= 5
    assert not outbox or outbox.last > 5


def test_a_control_plane_away_for_ten_minutes_is_asked_with_moderation():
    reporter, outbox = make_reporter(*[ChannelError("gone")] * 1000)
    outbox.add("started")
    now, lot = 0.0, random.Random(1)
    while now < 600.0:
        if lot.random() < 0.3:
            outbox.add_log("stdout", f"at {now:.1f}\n", 9)
        step(reporter, now)
        now += min(reporter.seconds_to_wait(now) + 0.001, lot.random())
    assert 30 <= len(reporter.channel.requests) <= 120
    reporter.channel.answers = [acked(outbox.last)]
    while outbox:
        step(reporter, now)
        now += 1.0
    assert now < 630.0
    sent = json.loads(reporter.channel.requests[-1][2])["events"]
    assert [event["seq"] for event in sent] == list(range(1, outbox.last + 1))


def test_in_a_hurry_it_asks_at_once():
    reporter, outbox = make_reporter(*[ChannelError("gone")] * 9)
    outbox.add("started")
    now = 0.0
    for _ in range(8):
        step(reporter, now)
        now += reporter.seconds_to_wait(now) + 0.001
    step(reporter, now)
    assert reporter.seconds_to_wait(now) > 0.5
    setback.hurry(reporter, now)
    assert reporter.seconds_to_wait(now) == 0.0


def test_why_it_is_away_is_said_once_for_each_reason(capfd):
    gone = ChannelError("gone")
    reporter, outbox = make_reporter(gone, gone, (502, b""), (502, b""), acked(1), gone)
    outbox.add("started")
    for now in range(0, 200, 20):
        if now == 100:
            outbox.add("heartbeat")
        if reporter.channel.answers:
            step(reporter, float(now))
    assert capfd.readouterr().err.splitlines() == [
        "leoflow agent: the control plane is away: gone",
        "leoflow agent: the control plane is away: it answered with 502",
        "leoflow agent: the control plane is away: gone",
    ]


def test_terminate_is_passed_on():
    reporter, outbox = make_reporter(acked(1, terminate="cancelled"))
    outbox.add("started")
    step(reporter, 0.0)
    assert reporter.terminate == "cancelled"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 426])
def test_a_refusal_is_believed_and_ends_the_talk(status):
    reporter, outbox = make_reporter((status, b"try 1 is over"))
    outbox.add("started")
    step(reporter, 0.0)
    step(reporter, 100.0)
    assert reporter.refused
    assert f"({status}): try 1 is over" in reporter.terminate
    assert len(reporter.channel.requests) == 1
