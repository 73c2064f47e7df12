"""Connections of the control plane: guarded when they are made, shared, limited, given back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trustme
from leoflow_controlplane.outbound.guard import LOOPBACK, AddressRefused, Guard
from leoflow_controlplane.outbound.network import Network
from leoflow_controlplane.outbound.pool import Pool

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request on any connection, and counts both."""

    def __init__(self, answer: Callable[[bytes], Awaitable[bytes]] | None = None) -> None:
        self.heads: list[bytes] = []
        self.connections = self.now = self.most = 0
        self._answer = answer

    @asynccontextmanager
    async def listen(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                self.now += 1
                self.most = max(self.most, self.now)
                answer = OK if self._answer is None else await self._answer(self.heads[-1])
                self.now -= 1
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def resolver(*answers: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    left = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


async def get(pool: Pool, url: str, method: str = "GET", seconds: float = 5.0) -> bytes:
    timeouts = dict.fromkeys(("connect", "pool", "read", "write"), seconds)
    request = httpx.Request(method, url, extensions={"timeout": timeouts})
    answer = await pool.handle_async_request(request)
    try:
        return await answer.aread()
    finally:
        await answer.aclose()


@asynccontextmanager
async def opened(
    allowed: tuple[str, ...] = LOOPBACK, total: int = 100, per_host: int = 100, **network: Any
) -> AsyncIterator[Pool]:
    pool = Pool(Network(Guard(allowed), **network), total, per_host)
    try:
        yield pool
    finally:
        await pool.aclose()


async def test_a_name_that_leads_to_the_machine_itself_is_refused_before_connecting() -> None:
    server = Server()
    async with server.listen() as port, opened((), resolve=resolver(["127.0.0.1"])) as pool:
        with pytest.raises(AddressRefused, match=r"'api\.example' is at 127\.0\.0\.1"):
            await get(pool, f"http://api.example:{port}/")
    assert server.connections == 0


async def test_one_refused_address_among_several_is_enough() -> None:
    async with opened((), resolve=resolver(["192.0.2.1", "169.254.169.254"])) as pool:
        with pytest.raises(AddressRefused):
            await get(pool, "http://api.example/")


async def test_what_was_judged_is_what_is_connected_to() -> None:
    """The name has another address by the second look, which never happens."""
    server = Server()
    changing = resolver(["127.0.0.1"], ["169.254.169.254"])
    async with server.listen() as port, opened(resolve=changing) as pool:
        assert await get(pool, f"http://api.example:{port}/") == b"ok"
        assert await get(pool, f"http://api.example:{port}/", "POST") == b"ok"
    assert f"Host: api.example:{port}".encode() in server.heads[0]


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]"])
async def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    async with opened(()) as pool:
        with pytest.raises(AddressRefused):
            await get(pool, f"http://{host}:1/")


async def test_the_next_address_is_tried_if_one_does_not_answer() -> None:
    server = Server()
    unused = resolver(["127.0.0.9", "127.0.0.1"])
    async with server.listen() as port, opened(resolve=unused) as pool:
        assert await get(pool, f"http://api.example:{port}/") == b"ok"


async def test_a_name_that_is_not_known_is_asked_for_again() -> None:
    asked: list[str] = []

    async def fail(host: str, port: int) -> list[str]:
        asked.append(host)
        raise OSError(-2, "not known")

    async with opened(resolve=fail) as pool:
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await get(pool, "http://api.example/")
    assert len(asked) == 2


async def test_the_certificate_is_checked_against_the_name_and_not_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.example").configure_cert(tls)
    local = resolver(["127.0.0.1"])
    async with Server().listen(tls) as port, opened(resolve=local) as pool:
        assert await get(pool, f"https://api.example:{port}/") == b"ok"
        with pytest.raises(httpx.ConnectError) as refused:
            await get(pool, f"https://other.example:{port}/")
    assert "Hostname mismatch" in str(refused.value.__cause__)


async def test_a_connection_is_used_again_but_not_by_what_must_not_be_sent_twice() -> None:
    server = Server()
    async with server.listen() as port, opened() as pool:
        for method in ("GET", "GET", "PUT", "POST"):
            await get(pool, f"http://127.0.0.1:{port}/", method)
    assert (len(server.heads), server.connections) == (4, 2)


async def test_an_answer_that_nobody_asked_for_ends_its_connection() -> None:
    async def twice(head: bytes) -> bytes:
        return OK + OK.replace(b"ok", b"no")

    server = Server(twice)
    async with server.listen() as port, opened() as pool:
        for _ in range(2):
            assert await get(pool, f"http://127.0.0.1:{port}/") == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize("limits", [{"total": 3}, {"per_host": 3}])
async def test_no_more_are_sent_at_once_than_may_be(limits: dict[str, int]) -> None:
    async def answer(head: bytes) -> bytes:
        await asyncio.sleep(0.001)
        return OK

    server = Server(answer)
    async with server.listen() as port, opened(**limits) as pool:
        answers = [get(pool, f"http://127.0.0.1:{port}/") for _ in range(20)]
        assert await asyncio.gather(*answers) == [b"ok"] * 20
    assert (server.most, server.connections) == (3, 3)


async def test_who_gives_up_gives_back() -> None:
    """Cancelled in the middle of an answer, while waiting for a turn, and too late for one."""
    begun, silent = asyncio.Event(), asyncio.Event()

    async def hang(head: bytes) -> bytes:
        begun.set()
        if len(server.heads) == 1:
            await silent.wait()
        return OK

    server = Server(hang)
    async with server.listen() as port, opened(total=1) as pool:
        url = f"http://127.0.0.1:{port}/"
        first = asyncio.create_task(get(pool, url))
        await begun.wait()
        second = asyncio.create_task(get(pool, url))
        with pytest.raises(httpx.PoolTimeout):
            await get(pool, url, seconds=0.01)
        second.cancel()
        first.cancel()
        await asyncio.wait({first, second})
        assert await get(pool, url) == b"ok"
        silent.set()
