"""Agents in containers come over https to a proxy in front of the control plane."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme
from freeport import free_port

pytestmark = pytest.mark.engine


class Proxy:
    """Speaks TLS at ``host`` and hands what it hears on to a port of loopback."""

    def __init__(self, host: str, behind: int, context: ssl.SSLContext) -> None:
        self._context = context
        self._behind = behind
        self._listener = socket.create_server((host, 0))
        self._listener.settimeout(0.05)
        self._over = False
        self.handshakes = 0
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._over = True
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._over:
            with contextlib.suppress(TimeoutError):
                plain, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(plain,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        with (
            contextlib.suppress(OSError),
            plain,
            self._context.wrap_socket(plain, server_side=True) as secure,
            socket.create_connection(("127.0.0.1", self._behind)) as server,
        ):
            self.handshakes += 1
            while not self._over and (data := secure.recv(65536)):
                server.sendall(data)
                # One answer of the control plane fits into one piece.
                secure.sendall(server.recv(65536))


@pytest.fixture
def proxied(engine, leoflow, tmp_path) -> Iterator[Proxy]:
    """A proxy at the address that containers reach, and leoflow told of it."""
    authority, behind = trustme.CA(), free_port()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(engine.gateway()).configure_cert(context)
    proxy = Proxy(engine.gateway(), behind, context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leoflow.environment |= {
        "LEOFLOW_AGENT_URL": f"https://{engine.gateway()}:{proxy.port}",
        "LEOFLOW_AGENT_LISTEN": f"127.0.0.1:{behind}",
        "LEOFLOW_AGENT_CA": str(tmp_path / "ca.pem"),
    }
    yield proxy
    proxy.close()


def test_a_run_reports_over_https(leoflow, project, proxied):
    code, run = leoflow.json("run", project("01-hello"), "--executor", "docker")
    assert code == 0, run
    assert [task["state"] for task in run["tasks"]] == ["success", "success"]
    assert proxied.handshakes >= 2
