"""https: only with a certificate that is trusted and has the host's name, and never blocking."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest
import trustme
from answering import Server, exchange, fails, ok
from leoflow_agent.channel import Channel, ChannelError

BODY = b'{"ack":1}'


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def pem(authority):
    return authority.cert_pem.bytes().decode()


class TlsServer:
    """Answers each request of each connection with ``answer``, under ``certificate``."""

    def __init__(self, certificate, answer=ok(BODY), **context):  # noqa: B008
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        for name, value in context.items():
            setattr(self._context, name, value)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        self._answer = answer
        self._over = False
        self.connections = 0
        self.port = self._listener.getsockname()[1]
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self._thread.join()
        self._listener.close()

    def _serve(self):
        while not self._over:
            with contextlib.suppress(TimeoutError):
                plain, _ = self._listener.accept()
                plain.settimeout(1)
                with plain, contextlib.suppress(OSError):
                    self._talk(self._context.wrap_socket(plain, server_side=True))

    def _talk(self, secure):
        self.connections += 1
        with secure:
            while data := secure.recv(65536):
                while not data.endswith(b"}") and b"GET" not in data:
                    data += secure.recv(65536)
                secure.sendall(self._answer)


def test_a_request_under_tls_is_answered(authority, pem):
    with TlsServer(authority.issue_cert("127.0.0.1")) as server:
        assert exchange(Channel(server.endpoint, "t", pem)) == (200, BODY)


def test_large_bodies_go_both_ways(authority, pem):
    answer = b'{"value":"' + b"x" * 3_000_000 + b'"}'
    with TlsServer(authority.issue_cert("127.0.0.1"), ok(answer)) as server:
        body = '{"a":"' + "y" * 3_000_000 + '"}'
        assert exchange(Channel(server.endpoint, "t", pem), body) == (200, answer)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_connection_is_used_again(authority, pem, version):
    certificate = authority.issue_cert("127.0.0.1")
    with TlsServer(certificate, maximum_version=version) as server:
        channel = Channel(server.endpoint, "t", pem)
        close, channel.close = channel.close, lambda: None
        for _ in range(3):
            assert exchange(channel) == (200, BODY)
        close()
    assert server.connections == 1


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [
        ("127.0.0.1", False, "unable to get local issuer certificate"),
        ("other.example", True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
)
def test_a_bad_certificate_is_refused_with_the_reason(authority, pem, name, trusted, reason):
    with TlsServer(authority.issue_cert(name)) as server:
        text = fails(Channel(server.endpoint, "t", pem if trusted else None))
    assert text.startswith(f"the certificate of '127.0.0.1' is not accepted: {reason}")


def test_another_authority_is_not_trusted(authority):
    other = trustme.CA().cert_pem.bytes().decode()
    with TlsServer(authority.issue_cert("127.0.0.1")) as server:
        assert "is not accepted" in fails(Channel(server.endpoint, "t", other))


def test_certificates_to_trust_that_are_none_are_said(authority):
    with TlsServer(authority.issue_cert("127.0.0.1")) as server:
        text = fails(Channel(server.endpoint, "t", "no certificate"))
    assert text.startswith("the certificates to trust cannot be read: ")


def test_a_server_that_speaks_no_tls_is_said():
    with Server([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        text = fails(Channel(server.endpoint.replace("http", "https"), "t"))
    assert text == "TLS with '127.0.0.1' failed: WRONG_VERSION_NUMBER"


def test_a_server_that_says_nothing_does_not_block(authority, pem):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        channel = Channel(f"https://127.0.0.1:{listener.getsockname()[1]}", "t", pem)
        channel.request("GET", "/", began)
        for _ in range(20):
            assert channel.advance() is None
        assert time.monotonic() - began < 20
        with pytest.raises(ChannelError, match="no answer within"):
            channel.check_deadline(began + 31)


def test_nobody_listening_is_said_as_without_tls():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "Connection refused" in fails(Channel(f"https://127.0.0.1:{port}", "t"))


def test_a_whole_try_reports_under_tls(agent, authority, pem):
    """The endpoint has a name, the process of the task does not load ssl."""
    reply = b'{"ack":%d,"terminate":null,"heartbeat_seconds":10}'
    seen = bytearray()

    class Plane(TlsServer):
        def _talk(self, secure):
            with secure:
                while data := secure.recv(65536):
                    while not data.endswith(b"]}"):
                        data += secure.recv(65536)
                    seen.extend(data)
                    last = int(data.rpartition(b'"seq":')[2].partition(b",")[0])
                    secure.sendall(ok(reply % last))

    with Plane(authority.issue_cert("localhost")) as server:
        endpoint = f"https://localhost:{server.port}"
        source = "import sys\ndef task():\n    return 'ssl' in sys.modules\n"
        ended = agent.run(source, endpoint=endpoint, ca=pem)
    assert ended.returncode == 0, ended.stderr
    assert b'"value":false' in seen
    assert b'"state":"success"' in seen


def test_the_program_openssl_makes_certificates_that_are_trusted(tmp_path):
    """As an operator would make them by hand: one that signs itself."""
    subject = ["-subj", "/CN=leoflow", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *subject],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    class ByHand:
        def configure_cert(self, context):
            context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    with TlsServer(ByHand()) as server:
        pem = (tmp_path / "cert.pem").read_text()
        assert exchange(Channel(server.endpoint, "t", pem)) == (200, BODY)
