"""http_api tasks inside of the agent: what is printed, what is kept, and how they are ended."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time

import pytest
from httpfault import Reply, as_json, serving

SECRET = "geheim-7f3a9"
MEBIBYTE = 1024 * 1024


def request(url, **fields):
    plain = {"method": "GET", "headers": {}, "query": {}, "body": None}
    return {**plain, "url": url, "timeout_seconds": 20.0, "success_codes": [200], **fields}


def condition(**fields):
    return {"status": None, "path": None, "one_of": None, "none_of": None, **fields}


def poll(**fields):
    return {"interval_seconds": 0.05, "fail_when": None, **fields}


@pytest.fixture
def run(agent):
    """Run a request in a task's process: `run(request, name=field of the workload)`."""

    def start(request, **changes):
        return agent.run(kind="http_api", module=None, function=None, request=request, **changes)

    return start


@pytest.fixture
def artifacts(agent, tmp_path):
    """The folder that a try leaves files in."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    agent.environment["LEOFLOW_ARTIFACTS"] = str(folder)
    return folder


def begin(agent, request, until, **changes):
    """Start a request, and wait until ``until`` says that it is under way."""
    process = agent.start(kind="http_api", module=None, function=None, request=request, **changes)
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def end(process, number):
    """Send a signal, and give what was printed and how many seconds the end took."""
    began = time.monotonic()
    process.send_signal(number)
    output = process.communicate(timeout=30)
    return output, time.monotonic() - began


def test_the_log_is_live_and_the_result_is_an_xcom(agent):
    states = iter(["queued", "running", "done"])
    go_on = threading.Event()

    def answer(asked):
        if asked.count == 2:
            assert go_on.wait(20)
        return as_json({"state": next(states)})

    with serving(answer) as server:
        until = condition(path="state", one_of=["done"])
        call = request(f"{server.url}/job", poll=poll(until=until))
        process = begin(agent, call, lambda: "attempt 1 of" in agent.control_plane.log)
        assert "attempt 2 of" not in agent.control_plane.log
        go_on.set()
        assert process.communicate(timeout=30)[1] == b""
    assert agent.control_plane.of_type("xcom")[0]["value"] == {"state": "done"}
    assert "state is 'running', again in 0.05 s\n" in agent.control_plane.log


def test_no_secret_is_in_anything_that_leaves_the_task(agent, run):
    variables = {
        "API": f"http://me:{SECRET}@127.0.0.1",
        "TOKEN": SECRET,
        "BROKEN": f"{SECRET}\n",
        "ODD": f"http://127.0.0.1:{SECRET}/",
    }

    def named(name, prefix=""):
        return {"env": name, "prefix": prefix, "part": None}

    def answer(asked):
        if asked.path.startswith("/hooks"):
            return Reply(302, headers={"Location": f"/there?sig={SECRET}"})
        return Reply(500, SECRET.encode(), {"X-Echo": SECRET, "Content-Type": "application/json"})

    with serving(answer) as server:
        variables["API"] = f"http://me:{SECRET}@{server.url[7:]}/hooks/{SECRET}?key={SECRET}"
        bearer = {"Authorization": named("TOKEN", "Bearer ")}
        for call in (
            request(named("API"), headers=bearer, query={"k": named("TOKEN")}),
            request(f"{server.url}/a?key={SECRET}", headers=bearer, retry_codes=[500]),
            request(f"http://127.0.0.1:1/?key={SECRET}", headers=bearer, request_retries=1),
            request(server.url, headers={"Authorization": named("BROKEN")}),
            request(named("ODD")),
            request(f"http://h/\x7f {SECRET}"[:9] + f"?{SECRET}", request_retries=0),
        ):
            agent.control_plane.events.clear()
            ended = run(call, environment=variables)
            assert ended.returncode == 1
            assert agent.control_plane.finished["reason"]
            for text in (json.dumps(agent.control_plane.events), ended.stdout, ended.stderr):
                assert SECRET not in text
                assert "Traceback" not in text
    assert any(SECRET in asked.headers.get("Authorization", "") for asked in server.requests)


def test_a_body_goes_to_a_file_without_being_in_memory(agent, artifacts):
    part, count, whole = os.urandom(MEBIBYTE), 300, hashlib.sha256()
    for _ in range(count):
        whole.update(part)
    limited = ("prlimit", f"--data={count * MEBIBYTE}", *agent.python.command)
    agent.python = agent.python._replace(command=limited)
    with serving(lambda _: Reply(body=part, repeat=count)) as server:
        ended = agent.run(
            kind="http_api",
            module=None,
            function=None,
            request=request(server.url, save_as="in/rows.bin"),
        )
    assert ended.returncode == 0, agent.control_plane.events
    assert agent.control_plane.of_type("xcom")[0]["value"] == {
        "path": "in/rows.bin",
        "size_bytes": count * MEBIBYTE,
        "sha256": whole.hexdigest(),
        "status": 200,
    }
    assert (artifacts / "in" / "rows.bin").stat().st_size == count * MEBIBYTE


def test_pages_go_to_a_file_one_after_another(agent, run, artifacts):
    def answer(asked):
        number = int(asked.path.partition("page=")[2])
        return as_json([{"n": number, "ä": "x" * 3000}] * 2 if number < 4 else [])

    pagination = {
        "next": "page_number",
        "items": None,
        "path": None,
        "query": "page",
        "first_page": 1,
        "max_pages": 10,
        "allowed_hosts": [],
    }
    with serving(answer) as server:
        call = request(server.url, pagination=pagination, save_as="rows.json")
        assert run(call, xcom_limit_bytes=1024).returncode == 0
    value = agent.control_plane.of_type("xcom")[0]["value"]
    assert (value["pages"], value["items"], value["status"]) == (4, 6, 200)
    text = (artifacts / "rows.json").read_text()
    assert len(text.encode()) == value["size_bytes"]
    assert [item["n"] for item in json.loads(text)] == [1, 1, 2, 2, 3, 3]


def test_an_empty_list_of_pages_is_a_file_too(run, artifacts):
    link = {"next": "link_header", "items": None, "path": None, "query": None}
    link |= {"first_page": 1, "max_pages": 10, "allowed_hosts": []}
    with serving(lambda _: as_json([])) as server:
        assert run(request(server.url, pagination=link, save_as="rows.json")).returncode == 0
    assert json.loads((artifacts / "rows.json").read_text()) == []


def test_a_file_that_broke_off_is_begun_again(run, artifacts):
    replies = [Reply(body=b"abcdef", cut_after=3), Reply(body=b"xyz")]
    with serving(lambda asked: replies[asked.count - 1]) as server:
        ended = run(request(server.url, save_as="rows", request_retries=1))
    assert ended.returncode == 0
    assert (artifacts / "rows").read_bytes() == b"xyz"
    assert "the connection broke after 3 bytes of the answer; again in" in ended.stdout


def test_an_answer_that_is_no_success_leaves_no_file(run, artifacts):
    with serving(lambda _: Reply(500, b"no")) as server:
        assert run(request(server.url, save_as="rows")).returncode == 1
    assert list(artifacts.iterdir()) == []


def test_a_poll_saves_the_answer_that_it_waited_for(agent, run, artifacts):
    replies = [Reply(202, b"wait"), Reply(202, b"wait"), Reply(200, b"rows")]
    with serving(lambda asked: replies[asked.count - 1]) as server:
        call = request(server.url, save_as="rows", success_codes=[200, 202])
        assert run({**call, "poll": poll(until=condition(status=[200]))}).returncode == 0
    assert (artifacts / "rows").read_bytes() == b"rows"
    assert agent.control_plane.of_type("xcom")[0]["value"]["status"] == 200


def test_a_full_disk_is_said(agent, run, artifacts):
    (artifacts / "rows.part").symlink_to("/dev/full")
    with serving(lambda _: Reply(body=b"abc")) as server:
        assert run(request(server.url, save_as="rows")).returncode == 1
    reason = agent.control_plane.finished["reason"]
    assert reason == (
        "the answer cannot be written to 'rows' after 0 bytes: No space left on device"
    )
    assert list(artifacts.iterdir()) == []


def test_a_file_without_a_folder_is_said(agent, run):
    assert run(request("http://127.0.0.1:1/", save_as="rows")).returncode == 1
    assert "LEOFLOW_ARTIFACTS names none" in agent.control_plane.finished["reason"]


def test_a_result_over_the_limit_names_both_figures_and_the_fix(agent, run):
    with serving(lambda _: as_json("x" * 2000)) as server:
        assert run(request(server.url), xcom_limit_bytes=1024).returncode == 122
    assert agent.control_plane.finished["reason"] == (
        "the result of task 't' is 2002 bytes of JSON, more than the limit of 1024: have it "
        "written to a file with save_as and execution_mode: pod, ask for less, or raise "
        "LEOFLOW_XCOM_LIMIT_BYTES"
    )


def test_a_job_that_never_ends_times_out(agent, run):
    with serving(lambda _: as_json({"state": "running"})) as server:
        until = condition(path="state", one_of=["done"])
        call = request(server.url, poll=poll(until=until, interval_seconds=30.0))
        began = time.monotonic()
        ended = run(call, execution_timeout_seconds=0.5)
    assert ended.returncode == 124
    assert time.monotonic() - began < 20
    assert "timed out" in agent.control_plane.finished["reason"]


@pytest.mark.parametrize("where", ["connected", "pausing", "saving"])
def test_sigterm_ends_it_at_once_and_leaves_no_half_of_a_file(agent, artifacts, where):
    asked, go_on = threading.Event(), threading.Event()

    def answer(_):
        asked.set()
        if where == "connected":
            go_on.wait(20)
        if where == "saving":
            return Reply(body=bytes(2 * MEBIBYTE), cut_after=MEBIBYTE, linger=go_on)
        return as_json({"state": "running"})

    def is_under_way():
        if where == "saving":
            return any(artifacts.iterdir())
        return asked.is_set() and (where == "connected" or agent.control_plane.log)

    with serving(answer) as server:
        call = request(server.url)
        if where == "pausing":
            until = condition(path="state", one_of=["done"])
            call["poll"] = poll(until=until, interval_seconds=30.0)
        if where == "saving":
            call["save_as"] = "rows"
        process = begin(agent, call, is_under_way, grace_seconds=60.0)
        _, seconds = end(process, signal.SIGTERM)
        go_on.set()
    assert seconds < 30
    assert process.returncode != 0
    assert agent.control_plane.finished["state"] == "failed"
    assert list(artifacts.iterdir()) == []
