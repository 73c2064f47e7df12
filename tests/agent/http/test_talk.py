"""Conversations with servers that answer anything: each comes to an end, and gives nothing away."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leoflow_agent.exitcode import Verdict
from leoflow_agent.http.ask import Question
from leoflow_agent.http.step import Answer, Broken, Keep, Line, Pause, Result, Send
from leoflow_agent.http.talk import Limits, talk

SECRET = "geheim-7f3a9"
URL = f"http://me:{SECRET}@api.example/rows?key={SECRET}"
MOST_STEPS = 400

CONDITION = {"status": None, "path": "a.b", "one_of": ["done"], "none_of": None}
POLL = {"until": CONDITION, "interval_seconds": 1.0, "fail_when": None}
PAGES = {"items": "a", "path": "n", "query": "q", "first_page": 1, "max_pages": 5}

TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        *("/x", "//h/", f"?key={SECRET}", "http://api.example/a", f'<?p={SECRET}>; rel="next"'),
        *("gzip", "identity", "application/json", "text/plain; charset=utf-16"),
        *("5", "Sun, 09 Sep 2001 01:47:40"),
    ]
)
NAMES = st.sampled_from(
    ["Location", "Retry-After", "Content-Type", "Content-Length", "Content-Encoding", "Link"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abn"), inner, max_size=3)
    ),
    max_leaves=6,
)
BODIES = (
    st.none()
    | st.binary(max_size=40)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | VALUES.map(lambda value: json.dumps({"a": value, "n": "/y", "x": SECRET}).encode())
)
STATUS = st.sampled_from([200, 200, 200, 204, 301, 303, 307, 404, 429, 500, 503])
REPLIES = st.builds(Broken, st.booleans(), st.booleans(), st.just("it broke")) | st.builds(
    Answer, STATUS, st.lists(st.tuples(NAMES, TEXTS), max_size=4), BODIES, st.just(0.1)
)
EXTRAS = st.sampled_from(
    [
        {},
        {"poll": POLL},
        {"poll": {**POLL, "fail_when": {**CONDITION, "path": "a"}}},
        {"save_as": "rows"},
        *(
            {"pagination": {**PAGES, "next": way, "allowed_hosts": []}, **more}
            for way in ("url", "cursor", "link_header", "page_number")
            for more in ({}, {"save_as": "rows"})
        ),
    ]
)


def ask(extra: dict[str, Any], method: str = "GET") -> Question:
    request: Any = {
        "method": method,
        "url": URL,
        "headers": {"X-Token": {"env": "TOKEN", "prefix": "", "part": None}},
        "query": {},
        "body": None,
        "timeout_seconds": 1.0,
        "success_codes": [200, 204],
        "request_retries": 2,
        "retry_codes": [429, 503],
        **extra,
    }
    return Question(request, {"TOKEN": SECRET}, lambda: 0.5, lambda: 1e9)


@settings(max_examples=400, deadline=None)
@given(EXTRAS, st.sampled_from(["GET", "POST"]), st.lists(REPLIES, min_size=1, max_size=12))
def test_any_answers_come_to_an_end_without_a_secret(
    extra: dict[str, Any], method: str, replies: list[Any]
) -> None:
    steps = talk(ask(extra, method), Limits("t", 200))
    told, reply, asked = [], None, 0
    for _ in range(MOST_STEPS):
        try:
            step = steps.send(reply)
        except StopIteration as end:
            reply = end.value
            break
        except Verdict as verdict:
            told.append(verdict.reason)
            break
        reply = None
        if isinstance(step, Line):
            told.append(step.text)
        elif isinstance(step, Send):
            if asked == len(replies):
                break
            reply, asked = replies[asked], asked + 1
            assert step.url.startswith(("http://", "https://"))
            assert step.url.isascii()
            if not step.url.startswith(("http://api.example/", "https://api.example/")):
                assert SECRET.encode() not in b"".join(step.headers.values())
        else:
            assert isinstance(step, Pause | Keep)
    else:
        raise AssertionError("it goes on for ever")
    assert told or isinstance(reply, Result) or asked == len(replies)
    assert SECRET not in "\n".join(told)


def test_a_page_that_is_too_long_for_a_file_is_told_with_both_figures() -> None:
    pages = {**PAGES, "next": "link_header", "allowed_hosts": []}
    steps = talk(ask({"pagination": pages, "save_as": "rows"}), Limits("t", 200))
    next(steps)
    with pytest.raises(Verdict, match="a page is 99999999 bytes, more than the 67108864 that one"):
        steps.send(Answer(200, [("Content-Length", "99999999")], None, 0.1))


def test_pauses_grow_and_are_spread() -> None:
    def pauses(roll: float) -> list[float]:
        question = ask({"request_retries": 8})
        question._roll = lambda: roll
        steps = talk(question, Limits("t", 200))
        found: list[float] = []

        def go_on(reply: Any) -> Any:
            step = steps.send(reply)
            found.extend([step.seconds] if isinstance(step, Pause) else [])
            return Broken(False, True, "refused") if isinstance(step, Send) else None

        def go_to_the_end(reply: Any = None) -> None:
            while True:
                reply = go_on(reply)

        with pytest.raises(Verdict, match=r"got no answer: refused \(9 times\)$"):
            go_to_the_end()
        return found

    assert pauses(1.0) == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert pauses(0.0) == [0.25, 0.5, 1, 2, 4, 8, 15, 15]
