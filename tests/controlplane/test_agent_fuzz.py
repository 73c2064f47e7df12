"""Whatever is sent to the agent API: no 500, an answer at once, and nothing for strangers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jwt
import pytest
from house import SETTINGS, make_dag, make_task
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from leoflow_agent.wire import EVENTS_PATH, INPUTS_PATH, PROTOCOL, PROTOCOL_HEADER, XCOM_PATH
from leoflow_controlplane.api import AgentApp, Reply
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.fake import FakeAgent, FakeExecutor
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.model import RunKey, RunRequest, TryKey
from leoflow_controlplane.verdict import Exit

PATIENCE_SECONDS = 60.0
MANY = 1_000_000
SECRET_VALUE = "what-another-task-has-left"

oddities = st.sampled_from(
    [
        *(None, True, -1, 0, 2**31, 10**400, 1.5, 1e308, float("nan"), float("-inf")),
        *("", "\0", "\ud800", "return_value", "x" * 100_000, "1"),
        *([], {}, [[]], {"": None}, {"\ud800": ["\0"]}),
    ]
)
fields = [
    *("seq", "at", "type", "agent_up", "import_started", "entered", "stream", "text", "key"),
    *("value", "state", "reason", "exit_code", "left", "retryable", "unheard_of"),
]
# Right ones, in which one field may be odd.
events = st.builds(
    lambda event, odd: {**event, **odd},
    st.sampled_from(
        [
            {"type": "started", "agent_up": 1.0},
            {"type": "entered", "import_started": 1.0, "entered": 2.0},
            {"type": "log", "stream": "stdout", "text": "a"},
            {"type": "xcom", "key": "return_value", "value": 1},
            {"type": "heartbeat"},
            {"type": "finished", "state": "success", "exit_code": 0, "reason": None},
            {"type": "finished", "state": "failed", "exit_code": 1, "left": 1.0},
        ]
    ),
    st.just({}) | st.dictionaries(st.sampled_from(fields), oddities, min_size=1, max_size=1),
)
batches = st.builds(
    lambda told, first: [{"at": 1.0, "seq": first + n, **one} for n, one in enumerate(told)],
    st.lists(events, max_size=3),
    st.sampled_from([1, 1, 1, 2, 0]),
)
reports = st.builds(
    lambda told, odd: {"protocol": PROTOCOL, "nonce": "n", "events": told, **odd},
    batches,
    st.just({})
    | st.just({})
    | st.dictionaries(st.sampled_from(["protocol", "nonce", "events", "x"]), oddities, max_size=1),
)
documents = reports.map(lambda report: json.dumps(report).encode())
bodies = (
    documents
    | documents
    | st.binary(max_size=100)
    | st.sampled_from([b"", b"[" * 100_000, b'{"events":' + b"[" * 5000, b"\xff{}", b"1e999"])
    | st.builds(lambda document, cut: document[:-cut], documents, st.integers(1, 40))
)
queries = st.binary(max_size=60) | st.builds(
    "task_id={}&key={}&map_index={}&protocol={}".format,
    st.sampled_from(["a", "done", "nobody", "%00", "%ff", ""]),
    st.sampled_from(["return_value", "k", "%ed%a0%80"]),
    st.sampled_from(["-1", "0", "x", "-2", "9" * 30, ""]),
    st.sampled_from(["1", "1", "2", ""]),
).map(str.encode)


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    query: bytes
    body: bytes
    more: list[tuple[bytes, bytes]]


headers = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=60)), max_size=2)
methods = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "BREW", ""])
paths = st.sampled_from([EVENTS_PATH, INPUTS_PATH, XCOM_PATH]) | st.text(max_size=20).map(
    "/{}".format
)
requests = st.one_of(
    st.builds(Asked, st.just("POST"), st.just(EVENTS_PATH), st.just(b""), bodies, headers),
    st.builds(Asked, st.just("GET"), st.just(INPUTS_PATH), queries, st.just(b""), headers),
    st.builds(Asked, st.just("GET"), st.just(XCOM_PATH), queries, st.just(b""), headers),
    st.builds(Asked, methods, paths, queries, bodies, headers),
)


class Plane:
    """A control plane with a run that is over and tries that wait to be told something."""

    def __init__(self, plane: ControlPlane, app: AgentApp) -> None:
        self.plane = plane
        self.tokens: asyncio.Queue[str] = asyncio.Queue()
        self._app = app

    async def begin(self, *task_ids: str) -> tuple[RunKey, str]:
        """Start a run and give the token of its first try."""
        tasks = [make_task(task_id) for task_id in task_ids or ("a",)]
        dag = make_dag(*tasks, max_active_runs=MANY, max_active_tasks=MANY)
        key = await self.plane.create_run(RunRequest(dag, "image"))
        return key, await self.tokens.get()

    async def ask(self, asked: Asked, token: bytes | None) -> tuple[int, bytes]:
        """Send a request; TimeoutError if it is not answered."""
        if (asked.method, asked.path, asked.more) == ("POST", EVENTS_PATH, []):
            word = re.fullmatch(rb"Bearer ([!-~]+)", token or b"")
            if word is not None:
                return await self._report(word[1].decode(), asked.body)
        sent: list[Any] = []
        authorization = [] if token is None else [(b"authorization", token)]
        scope = {
            "type": "http",
            "method": asked.method,
            "path": asked.path,
            "raw_path": asked.path.encode("utf-8", "replace"),
            "query_string": asked.query,
            "headers": [*authorization, *asked.more],
        }
        chunks = [asked.body[:50], asked.body[50:]]

        async def receive() -> Any:
            body = chunks.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            sent.append(message)

        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._app(scope, receive, send)
        start, *rest = sent
        assert (PROTOCOL_HEADER.encode(), str(PROTOCOL).encode()) in start["headers"]
        return start["status"], b"".join(message["body"] for message in rest)

    async def _report(self, token: str, body: bytes) -> tuple[int, bytes]:
        """Send a report the short way."""
        replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        assert self._app.take_report(token, body, replied.set_result)
        async with asyncio.timeout(PATIENCE_SECONDS):
            reply = await replied
        return reply.status, reply.body

    async def report(self, token: str, *told: dict[str, Any], nonce: str = "n") -> int:
        """Send a report as an agent would."""
        told = tuple({"at": 1.0, **event, "seq": seq} for seq, event in enumerate(told, 1))
        body = json.dumps({"protocol": PROTOCOL, "nonce": nonce, "events": told}).encode()
        asked = Asked("POST", EVENTS_PATH, b"", body, [])
        status, _ = await self.ask(asked, b"Bearer " + token.encode())
        return status


@asynccontextmanager
async def open_plane(home: Path) -> AsyncIterator[Plane]:
    desks: list[Any] = []

    async def hold(agent: FakeAgent) -> Exit:
        made.tokens.put_nowait(agent.launch.workload["token"])
        await agent.told_to_stop.wait()
        return Exit(0)

    async def factory(site: Site) -> FakeExecutor:
        desks.append(site.desk)
        return FakeExecutor(site.desk, hold)

    chosen = replace(SETTINGS, max_parallel_tasks=MANY)
    async with ControlPlane(home, factory, chosen) as plane:
        made = Plane(plane, AgentApp(desks[0]))
        yield made


@contextmanager
def running(home: Path) -> Iterator[tuple[asyncio.Runner, Plane]]:
    """Open a control plane in a loop that hypothesis can come back to."""
    with asyncio.Runner() as runner:
        stack = open_plane(home)
        plane = runner.run(stack.__aenter__())
        try:
            yield runner, plane
        finally:
            runner.run(stack.__aexit__(None, None, None))


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=examples,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


EXAMPLES = pytest.mark.parametrize(
    "examples", [100, pytest.param(5000, marks=pytest.mark.long)], ids=["short", "long"]
)


@EXAMPLES
def test_strangers_read_nothing_and_write_nothing(tmp_path: Path, examples: int) -> None:
    """Tokens that are none, of another key, expired, changed, or of a try that is over."""
    with running(tmp_path) as (runner, plane):
        _, over = runner.run(plane.begin("done"))
        end = {"type": "finished", "state": "success", "exit_code": 0}
        left = {"type": "xcom", "key": "k", "value": SECRET_VALUE}
        # Its own agent may say again what was heard already, and is thanked.
        assert runner.run(plane.report(over, left, end, nonce="its own")) == 200
        key, good = runner.run(plane.begin("a"))
        claims = jwt.decode(good, options={"verify_signature": False})
        foreign = jwt.encode(claims, b"f" * 32, "HS256")
        nobody = jwt.encode(claims, None, "none")
        wrong = [b"", b"Bearer", b"Bearer ", b"Basic " + good.encode(), b"\xff\xfe", good.encode()]
        wrong += [
            b"Bearer " + word.encode() for word in (over, foreign, nobody, good[:-2], "x.y.z")
        ]
        before = runner.run(plane.plane.result(key))

        @fuzz(examples)
        @given(requests, st.none() | st.sampled_from(wrong) | st.binary(max_size=50))
        def attack(asked: Asked, token: bytes | None) -> None:
            status, body = runner.run(plane.ask(asked, token))
            assert 400 <= status < 500, (status, body)
            assert SECRET_VALUE.encode() not in body
            assert b"Traceback" not in body

        attack()
        assert runner.run(plane.plane.result(key)) == before
        assert runner.run(plane.plane.log(TryKey(*key, "a", -1, 1))) == []
        assert runner.run(plane.report(good, end)) == 200


@EXAMPLES
def test_a_try_can_harm_nobody_but_itself(tmp_path: Path, examples: int) -> None:
    with running(tmp_path) as (runner, plane):
        other, others_token = runner.run(plane.begin("other"))
        before = runner.run(plane.plane.result(other))
        tokens = [runner.run(plane.begin())[1]]

        @fuzz(examples)
        @given(requests)
        def say_anything(asked: Asked) -> None:
            status, body = runner.run(plane.ask(asked, b"Bearer " + tokens[-1].encode()))
            assert status < 500, (status, body)
            assert b"Traceback" not in body
            # Once it has been believed, a try is bound to a nonce, or even over.
            if asked.path == EVENTS_PATH and status in (200, 401, 409):
                tokens.append(runner.run(plane.begin())[1])

        say_anything()
        assert runner.run(plane.plane.result(other)) == before
        end = {"type": "finished", "state": "success", "exit_code": 0}
        assert runner.run(plane.report(others_token, end)) == 200
        assert runner.run(plane.plane.wait(other)).state == "success"
