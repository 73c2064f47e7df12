"""The way of an http_api task to its server: redirects, proxies, TLS, and whom it tells what."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from httpfault import Reply, as_json, serving
from httpmode import DONE, SECRET, Mode, in_turn
from leoflow_agent.action import (
    HttpPoll,
    Value,
)


def test_credentials_stay_with_their_server(mode: Mode) -> None:
    headers = {
        "Authorization": Value(f"Bearer {SECRET}"),
        "Cookie": Value(SECRET),
        "X-Mine": Value(SECRET),
        "Accept": Value("text/csv"),
    }
    with serving(in_turn(as_json(1))) as other:
        away = Reply(302, headers={"Location": f"{other.url}/there?sig={SECRET}"})
        with serving(in_turn(Reply(307, headers={"Location": "/near"}), away)) as server:
            ended = mode(server.url, headers=headers)
    assert ended.value == 1
    assert [SECRET in json.dumps(dict(one.headers)) for one in server.requests] == [True, True]
    (there,) = other.requests
    assert SECRET not in json.dumps(dict(there.headers))
    assert there.headers["Accept"] == "text/csv"
    assert SECRET not in ended.text
    assert ended.lines[1].endswith(f": 302, goes on at {other.url}")


@pytest.mark.parametrize(
    ("status", "method", "arrives"),
    [
        (301, "POST", ("GET", b"")),
        (302, "POST", ("GET", b"")),
        (303, "PUT", ("GET", b"")),
        (302, "PUT", ("PUT", b"{}")),
        (307, "POST", ("POST", b"{}")),
        (308, "POST", ("POST", b"{}")),
    ],
)
def test_what_is_sent_on(mode: Mode, status: int, method: str, arrives: tuple[str, bytes]) -> None:
    moved = Reply(status, headers={"Location": "/new"})
    with serving(in_turn(moved, as_json(1))) as server:
        assert mode(server.url, method=method, body=Value({})).value == 1
    assert (server.requests[1].method, server.requests[1].body) == arrives


def test_a_redirect_that_is_a_success_is_not_followed(mode: Mode) -> None:
    with serving(in_turn(Reply(303, headers={"Location": "/x"}, body=b"see"))) as server:
        assert mode(server.url, success_codes=(303,)).value == "see"


def test_name_and_password_of_a_url_are_sent_and_not_shown(mode: Mode) -> None:
    with serving(in_turn(Reply(403))) as server:
        ended = mode(f"http://me:{SECRET}@{server.url[7:]}/x?key={SECRET}")
    expected = "Basic " + b64encode(f"me:{SECRET}".encode()).decode()
    assert server.requests[0].headers["Authorization"] == expected
    assert server.requests[0].path == f"/x?key={SECRET}"
    assert SECRET not in ended.text


def test_a_server_is_not_given_the_cookies_that_it_set(mode: Mode) -> None:
    again = as_json({"state": "queued"}, Set_Cookie="a=b")
    with serving(in_turn(again, as_json({"state": "done"}))) as server:
        mode(server.url, poll=HttpPoll(DONE, 0.05))
    assert "Cookie" not in server.requests[1].headers


def test_a_redirect_may_lead_to_a_url_with_other_letters(mode: Mode) -> None:
    moved = Reply(302, headers={"Location": "/\u00fc x".encode().decode("latin-1")})
    with serving(in_turn(moved, as_json(1))) as server:
        assert mode(server.url).value == 1
    assert server.requests[1].path == "/%C3%BC%20x"


def test_a_proxy_of_the_environment_is_used(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(in_turn(as_json("by proxy"))) as proxy,
        serving(in_turn(as_json("direct"))) as near,
    ):
        monkeypatch.setenv("http_proxy", f"http://me:pw@{proxy.url[7:]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert mode("http://api.invalid/x?a=1").value == "by proxy"
        assert mode(near.url).value == "direct"
    (request,) = proxy.requests
    assert request.path == "http://api.invalid/x?a=1"
    assert request.headers["Host"] == "api.invalid"
    assert request.headers["Proxy-Authorization"] == "Basic " + b64encode(b"me:pw").decode()


def test_tls_goes_through_a_proxy_and_its_end_is_checked(
    mode: Mode, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with serving(in_turn(as_json(1)), certificate=certificate) as server, tunnel() as (proxy, seen):
        monkeypatch.setenv("https_proxy", proxy)
        assert mode(f"{server.url}/{SECRET}").value == 1
    assert seen[0].startswith(f"CONNECT {server.url[8:]} HTTP/1.")
    assert f"\r\nHost: {server.url[8:]}\r\n" in seen[0]
    assert SECRET not in seen[0]


@contextmanager
def tunnel() -> Iterator[tuple[str, list[str]]]:
    """A proxy that connects once to where it is asked to; give its URL, and what it is asked."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client = listener.accept()[0]
            seen.append(client.recv(65536).decode())
            host, port = seen[0].split()[1].split(":")
            with client, socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 go on\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, client))
                back.start()
                _copy(client, server)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key and a certificate for 127.0.0.1 that is signed by itself."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    key = file.with_name("key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", file),
        ],
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return str(file)


def test_a_certificate_that_nobody_vouches_for_is_refused(mode: Mode, certificate: str) -> None:
    with serving(in_turn(as_json(1)), certificate=certificate) as server:
        ended = mode(f"{server.url}/x")
    assert "self-signed certificate" in (ended.reason or "")
    assert ended.lines == []
    assert server.requests == []


def test_a_certificate_of_the_known_authorities_is_taken(
    mode: Mode, certificate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with serving(in_turn(as_json(1)), certificate=certificate) as server:
        assert mode(server.url).value == 1
