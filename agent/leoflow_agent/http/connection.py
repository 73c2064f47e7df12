"""The network of an http_api task in a container: one request over one connection.

Only ``http.task`` imports it. No text that it gives has any part of the request in it.
"""

import http.client
import ssl
import time
from base64 import b64encode
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from leoflow_agent.http.lookup import open_connection
from leoflow_agent.http.step import Answer, Broken
from leoflow_agent.http.trouble import TIMEOUT, cut_off, late, no_answer, no_connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from leoflow_agent.http.step import Send

    Take = Callable[[bytes], None]

CHUNK_BYTES = 64 * 1024


def exchange(send: "Send", save: "Take") -> "Answer | Broken":
    """Send a request and read its answer; ``save`` takes the bodies that go to the file.

    Whatever ``save`` raises goes through.
    """
    begun = time.monotonic()
    connection, target, headers = _prepare(send)
    try:
        broken = _connect(connection, send)
        if broken is not None:
            return broken
        try:
            connection.request(send.method, target, send.body, headers)
            response = connection.getresponse()
        except TIMEOUT:
            return late(send.read_seconds)
        except (OSError, http.client.HTTPException):
            return no_answer()
        saves = response.status in send.save_codes
        body = _save(response, save, send) if saves else _read(response, send)
        if isinstance(body, Broken):
            return body
        seconds = time.monotonic() - begun
        said = [(name, _text(value)) for name, value in response.getheaders()]
        return Answer(response.status, said, body, seconds)
    finally:
        connection.close()


def _connect(connection: http.client.HTTPConnection, send: "Send") -> "Broken | None":
    try:
        connection.connect()
        connection.sock.settimeout(send.read_seconds)
        return None
    except OSError as error:
        return no_connection(error, send.connect_seconds)
    except (http.client.HTTPException, ValueError, UnicodeError) as error:
        return Broken(False, False, f"no connection ({type(error).__name__})")


def _text(value: str) -> str:
    """Return a header as UTF-8 where it is: http.client takes every byte for a character."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _read(response: http.client.HTTPResponse, send: "Send") -> "bytes | Broken | None":
    """Return the body, None if it is longer than is wanted."""
    chunks: list[bytes] = []
    left = send.read_bytes + 1

    def take(chunk: bytes) -> None:
        chunks.append(chunk)

    broken = _each_chunk(response, take, send, left)
    if broken is not None:
        return broken
    body = b"".join(chunks)
    return body if len(body) < left else None


def _save(response: http.client.HTTPResponse, save: "Take", send: "Send") -> "Broken | None":
    return _each_chunk(response, save, send, None)


def _each_chunk(
    response: http.client.HTTPResponse, take: "Take", send: "Send", left: "int | None"
) -> "Broken | None":
    """Hand the body to ``take`` in pieces, ``left`` bytes of it or all."""
    size = 0
    while left is None or size < left:
        wanted = CHUNK_BYTES if left is None else min(CHUNK_BYTES, left - size)
        try:
            chunk = response.read(wanted)
        except TIMEOUT:
            return late(send.read_seconds)
        except (OSError, http.client.HTTPException) as error:
            return cut_off(size + len(getattr(error, "partial", b"")))
        if not chunk:
            # http.client says nothing of a body that is shorter than announced.
            return cut_off(size) if response.length else None
        take(chunk)
        size += len(chunk)
    return None


def _prepare(send: "Send") -> "tuple[http.client.HTTPConnection, str, dict[str, Any]]":
    """Return the connection, what to ask it for, and the headers: directly or by a proxy.

    Proxies are those of the environment, as for urllib and most programs.
    """
    parts = urlsplit(send.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    target = parts.path + ("?" + parts.query if parts.query else "")
    proxy = getproxies().get(parts.scheme)
    seconds = send.connect_seconds
    context = ssl.create_default_context() if parts.scheme == "https" else None
    if not proxy or proxy_bypass(parts.netloc):
        return _connection(host, port, seconds, context), target, send.headers
    via = urlsplit(proxy if "://" in proxy else "http://" + proxy)
    connection = _connection(via.hostname or "", via.port or 80, seconds, context)
    login = {"Proxy-Authorization": _login(via.username, via.password)} if via.username else {}
    if context is not None:
        # Before Python 3.12, http.client leaves out what RFC 9110, 9.3.6 asks for.
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        connection.set_tunnel(host, port, {"Host": place, **login})
        return connection, target, send.headers
    return connection, send.url, {**send.headers, **login}


def _connection(
    host: str, port: int, seconds: float, context: "ssl.SSLContext | None"
) -> http.client.HTTPConnection:
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    # No public name, and the same in all versions; without it, only a lookup is less prompt.
    connection._create_connection = open_connection  # type: ignore[attr-defined]
    return connection


def _login(name: "str | None", password: "str | None") -> str:
    pair = f"{unquote(name or '')}:{unquote(password or '')}"
    return "Basic " + b64encode(pair.encode()).decode()
