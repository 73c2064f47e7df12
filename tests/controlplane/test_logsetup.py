"""Log lines: what is in them, and what never is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from leoflow_controlplane.logcontext import about, current_context
from leoflow_controlplane.logsetup import hide_credentials, set_up_logging
from leoflow_controlplane.model import RunKey, TryKey

TRY = TryKey("d", "r", "t", -1, 2)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    root, own = logging.getLogger(), logging.getLogger("leoflow")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_a_json_object_that_says_what_it_is_about() -> None:
    stream = io.StringIO()
    set_up_logging("json", "info", stream)
    with about(TRY, request_id="q"):
        logging.getLogger("leoflow.scheduler").info("the try '%s' began", "x")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "the try 'x' began",
        "level": "info",
        "logger": "leoflow.scheduler",
        "dag_id": "d",
        "run_id": "r",
        "task_id": "t",
        "try_number": 2,
        "request_id": "q",
    }


def test_levels_are_kept_and_libraries_only_warn() -> None:
    stream = io.StringIO()
    set_up_logging("json", "debug", stream)
    for name in ("leoflow.x", "httpx", "uvicorn.access"):
        logging.getLogger(name).debug("quiet")
        logging.getLogger(name).warning("loud")
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [
        ("leoflow.x", "quiet"),
        ("leoflow.x", "loud"),
        ("httpx", "loud"),
        ("uvicorn.access", "loud"),
    ]


def test_uvicorn_has_no_way_of_its_own() -> None:
    stream = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(io.StringIO()))
    set_up_logging("json", "info", stream)
    logging.getLogger("uvicorn.error").error("once")
    assert [line["event"] for line in lines(stream)] == ["once"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_shown_without_the_values_of_variables(form: Any) -> None:
    stream = io.StringIO()
    set_up_logging(form, "info", stream)
    hidden = "in a local variable"
    try:
        raise ValueError("Bearer abcdefgh was wrong", len(hidden))
    except ValueError:
        logging.getLogger("leoflow.x").exception("failed")
    text = stream.getvalue()
    assert "ValueError" in text
    assert "test_logsetup.py" in text
    assert "abcdefgh" not in text
    assert "in a local variable" not in text.replace('hidden = "in a local variable"', "")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:geheim@host/db is away",
        "Authorization: Bearer geheim.x-y",
        "authorization: basic Z2VoZWlt+geheim=",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJnZWhlaW0ifQ.geheim was refused",
        "whsec_geheim",
        'password="geheim geheim"',
        "{'api_key': 'geheim'}",
        "AIRFLOW_CONN_DB=pg://x:geheim@h",
        "client_secret: geheim",
    ],
)
def test_what_looks_like_a_credential_is_taken_out(text: str) -> None:
    assert "geheim" not in hide_credentials(text)
    assert "***" in hide_credentials(text)


@pytest.mark.parametrize(
    "text", ["GET http://h:80/x was answered with 500", "dag.py:14: task 'load'", "a@b, c: d"]
)
def test_what_does_not_is_left_alone(text: str) -> None:
    assert hide_credentials(text) == text


def test_a_console_line_is_for_people() -> None:
    stream = io.StringIO()
    set_up_logging("console", "info", stream)
    with about(RunKey("d", "r")):
        logging.getLogger("leoflow.x").warning("look")
    assert "look" in stream.getvalue()
    assert "run_id=r" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


async def test_what_runs_at_once_is_not_mixed_up() -> None:
    async def see(number: int) -> Any:
        with about(TRY._replace(try_number=number)):
            await asyncio.sleep(0)
            return current_context()["try_number"]

    assert await asyncio.gather(*map(see, range(5))) == [0, 1, 2, 3, 4]
    assert current_context() == {}
