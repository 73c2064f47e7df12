"""How a control plane is found and asked, and what is said of each way in which that fails."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import trustme
from fakeserver import FakeServer, Listener, make_dag, make_run
from leoflow_cli.client.address import DEFAULT_SERVER, find_address
from leoflow_cli.failure import explain
from leoflow_cli.outcome import INVALID_INPUT, MACHINERY_FAILED, InvalidInput


def test_what_was_typed_wins_over_the_environment_and_that_over_the_default(tmp_path: Path):
    environment = {"LEOFLOW_SERVER": "https://set:1/", "LEOFLOW_TOKEN": "abc"}
    assert find_address("http://typed:2", None, environment, tmp_path).url == "http://typed:2"
    assert find_address(None, None, environment, tmp_path).url == "https://set:1"
    assert find_address(None, None, {}, tmp_path).url == DEFAULT_SERVER


def test_a_token_comes_from_the_file_that_is_named_then_the_environment_then_the_home(
    tmp_path: Path,
):
    (tmp_path / "admin.token").write_text("own\n")
    (tmp_path / "mine").write_text("mine\n")
    environment = {"LEOFLOW_TOKEN": "set"}
    assert find_address(None, tmp_path / "mine", environment, tmp_path).token == "mine"
    assert find_address(None, None, environment, tmp_path).token == "set"
    assert find_address(None, None, {}, tmp_path).token == "own"


def test_the_token_of_this_machines_server_goes_to_no_other_machine(tmp_path: Path):
    (tmp_path / "admin.token").write_text("own\n")
    assert find_address("http://elsewhere.example", None, {}, tmp_path).token is None
    assert find_address("http://localhost:9", None, {}, tmp_path).token == "own"


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://host", "http://", "http://h:x", "http://h/?a=1", "http://u@h"]
)
def test_what_is_no_url_is_refused(url: str, tmp_path: Path):
    with pytest.raises(InvalidInput, match="LEOFLOW_SERVER"):
        find_address(None, None, {"LEOFLOW_SERVER": url}, tmp_path)


@pytest.mark.parametrize("token", ["a b", "a\nb", "é"])
def test_what_is_no_token_is_refused_without_being_shown(token: str, tmp_path: Path):
    with pytest.raises(InvalidInput, match="LEOFLOW_TOKEN") as caught:
        find_address(None, None, {"LEOFLOW_TOKEN": token}, tmp_path)
    assert token not in str(caught.value)


def failing(call, *arguments: str) -> tuple[str, int]:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - explain tells which
        call(*arguments)
    return explain(caught.value)


def test_nobody_there(server: FakeServer, call, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("LEOFLOW_SERVER", url)
        text, code = failing(call, "dags")
    assert f"no control plane answers at '{url}' (LEOFLOW_SERVER)" in text
    assert text.endswith("`leoflow server`, or set LEOFLOW_SERVER. Connection refused.")
    assert code == MACHINERY_FAILED


def test_a_wrong_token(server: FakeServer, call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEOFLOW_TOKEN", "stolen")
    text, code = failing(call, "dags")
    assert "does not accept the token from LEOFLOW_TOKEN" in text
    assert "stolen" not in text
    assert code == INVALID_INPUT


def test_no_token(server: FakeServer, call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LEOFLOW_TOKEN")
    text, _ = failing(call, "dags")
    assert "asks for a token" in text
    assert "admin.token" in text


def test_a_token_that_may_not(server: FakeServer, call):
    server.dags["etl"] = make_dag("etl")
    server.answers["PATCH", "/api/v2/dags/etl"] = (403, {"detail": "a viewer may only look"})
    text, code = failing(call, "dags", "pause", "etl")
    assert "the token from LEOFLOW_TOKEN may not do this: a viewer may only look" in text
    assert code == INVALID_INPUT


def test_a_mistyped_dag(server: FakeServer, call):
    server.dags["hourly_sales"] = make_dag("hourly_sales")
    text, code = failing(call, "trigger", "hourly_sale")
    assert "knows no DAG 'hourly_sale'. Did you mean 'hourly_sales'?" in text
    assert code == INVALID_INPUT


def test_a_dag_where_none_is_known(server: FakeServer, call):
    assert "It knows none: push one." in failing(call, "dags", "show", "etl")[0]


def test_a_run_that_is_not_there_is_told_in_the_servers_words(server: FakeServer, call):
    server.add_run(make_run("etl", "one"))
    text, code = failing(call, "runs", "show", "etl", "two")
    assert text == "error: DAG 'etl' has no run 'two'"
    assert code == INVALID_INPUT


def test_each_field_that_is_wrong_has_a_line(server: FakeServer, call):
    server.dags["etl"] = make_dag("etl")
    details = [
        {"loc": ["body", "conf"], "msg": "is too long", "type": "x"},
        {"loc": ["body", "note"], "msg": "is no text", "type": "x"},
    ]
    server.answers["POST", "/api/v2/dags/etl/dagRuns"] = (422, {"detail": details})
    text, code = failing(call, "trigger", "etl")
    assert text.splitlines()[1:] == ["  conf: is too long", "  note: is no text"]
    assert code == INVALID_INPUT


@pytest.mark.parametrize(
    ("status", "body", "said", "code"),
    [
        (409, {"detail": "is running"}, "error: is running", INVALID_INPUT),
        (500, {"detail": "internal error ab12."}, "failed (HTTP 500): internal", MACHINERY_FAILED),
        (503, {"detail": "no leader"}, "cannot answer now: no leader", MACHINERY_FAILED),
        (502, b"<html>nginx</html>", "cannot answer now: HTTP 502", MACHINERY_FAILED),
        (404, {"detail": "Not Found"}, "of another version", MACHINERY_FAILED),
        (404, b"<html>nginx</html>", "with '<html>nginx</html>' instead of JSON", MACHINERY_FAILED),
        (200, b"hello", "is no leoflow control plane", MACHINERY_FAILED),
        (307, {}, "redirect to 'https://elsewhere.example/'", MACHINERY_FAILED),
    ],
)
def test_other_ways_to_fail(server: FakeServer, call, status: int, body, said: str, code: int):
    server.answers["GET", "/api/v2/variables"] = (status, body)
    text, exit_code = failing(call, "variables")
    assert said in text
    assert exit_code == code


def test_a_certificate_of_an_authority_of_ones_own(
    server: FakeServer, call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Listener(server, context) as listener:
        monkeypatch.setenv("LEOFLOW_SERVER", listener.url)
        text, code = failing(call, "dags")
        assert "is not trusted" in text
        assert "LEOFLOW_CA" in text
        assert code == MACHINERY_FAILED
        monkeypatch.setenv("LEOFLOW_CA", str(tmp_path / "ca.pem"))
        assert call("dags").exit_code == 0


def test_an_answer_that_breaks_off_may_still_have_been_done(server: FakeServer, call):
    server.dags["etl"] = make_dag("etl")
    server.answers["POST", "/api/v2/dags/etl/dagRuns"] = (0, {})
    text, code = failing(call, "trigger", "etl")
    assert "may be done all the same" in text
    assert code == MACHINERY_FAILED


def test_lists_are_read_to_their_end(server: FakeServer, call):
    for number in range(1250):
        server.dags[f"dag_{number:04}"] = make_dag(f"dag_{number:04}")
    lines = call("dags").stderr.splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(server.dags)


def test_a_name_cannot_leave_its_part_of_the_path(server: FakeServer, call):
    failing(call, "variables", "get", "../dags?x#y")
    assert server.requests[-1].path == "/api/v2/variables/..%2Fdags%3Fx%23y"
