"""The one HTTP client: sends requests to a control plane and gives documents back.

Knows no resource but DAGs' names, which it looks up to tell what was mistyped.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from leoflow_builder.systemwords import system_words

from leoflow_cli.client.address import Address
from leoflow_cli.client.answer import Refused, Unanswered, read_answer
from leoflow_cli.outcome import InvalidInput, Unusable

ROOT = "/api/v2"
# As much as leoflow gives at once; a server that gives less is asked more often.
PAGE = 1000
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
WAITS_BEFORE_RETRY = (0.2, 0.5)
Query = Mapping[str, Any]


def path(*parts: str | int) -> str:
    """Return the API's path made of ``parts``; what a user typed cannot leave its part."""
    return "".join("/" + quote(str(part), safe="~") for part in parts)


class Api:
    """A control plane, as far as it can be asked. Raises what ``answer`` says."""

    def __init__(self, address: Address) -> None:
        self.address = address
        headers = {"accept": "application/json", "user-agent": "leoflow"}
        if address.token is not None:
            headers["authorization"] = f"Bearer {address.token}"
        self._client = httpx.Client(
            base_url=address.url,
            headers=headers,
            timeout=TIMEOUT,
            verify=_trust(address),
            # A proxy is no way to this machine.
            trust_env=not address.is_loopback,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, where: str, query: Query | None = None) -> Any:
        """Read; tried again if no connection comes about."""
        return self._ask("GET", where, query=query)

    def post(self, where: str, body: Any) -> Any:
        """Create or do something."""
        return self._ask("POST", where, body=body)

    def create(self, where: str, body: Any) -> tuple[Any, bool]:
        """Create something if it is not there yet, and tell whether it was not."""
        answer = self._send("POST", where, None, body)
        return read_answer(answer, self.address), answer.status_code == 201

    def patch(self, where: str, body: Any) -> Any:
        """Change something."""
        return self._ask("PATCH", where, body=body)

    def put(self, where: str) -> Any:
        """Do what the path says."""
        return self._ask("PUT", where)

    def delete(self, where: str) -> None:
        """Remove something."""
        self._ask("DELETE", where)

    def all_of(
        self, where: str, key: str, query: Query | None = None, limit: int | None = None
    ) -> tuple[list[Any], int]:
        """Read a collection page by page: up to ``limit`` entries, and how many there are."""
        found: list[Any] = []
        while True:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page = self.get(where, {**(query or {}), "limit": size, "offset": len(found)})
            found += page[key]
            total = page["total_entries"]
            if not page[key] or len(found) >= min(total, limit or total):
                return found, total

    def lines(self, where: str, query: Query | None = None) -> Iterator[str]:
        """Read an answer that comes line by line, for as long as it takes."""
        timeout = httpx.Timeout(None, connect=5.0)
        headers = {"accept": "application/x-ndjson"}
        try:
            with self._client.stream(
                "GET", ROOT + where, params=query, headers=headers, timeout=timeout
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    read_answer(answer, self.address)
                yield from answer.iter_lines()
        except httpx.HTTPError as error:
            raise _unanswered(error, self.address) from error

    def _ask(self, method: str, where: str, *, query: Query | None = None, body: Any = None) -> Any:
        answer = self._send(method, where, query, body)
        try:
            return read_answer(answer, self.address)
        except Refused as refused:
            if refused.status == 404 and (hint := self._hint(where)):
                raise Refused(hint, refused.status, refused.detail) from None
            raise

    def _send(self, method: str, where: str, query: Query | None, body: Any) -> httpx.Response:
        waits = iter(WAITS_BEFORE_RETRY if method == "GET" else ())
        while True:
            try:
                return self._client.request(method, ROOT + where, params=query, json=body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                wait = next(waits, None)
                if wait is None or _is_about_trust(error):
                    raise _unanswered(error, self.address) from error
                time.sleep(wait)
            except httpx.HTTPError as error:
                told = _unanswered(error, self.address)
                if method == "GET":
                    raise told from error
                raise Unanswered(f"{told}. What was asked for may be done all the same") from error

    def _hint(self, where: str) -> str:
        """Return what to say of a DAG that does not exist, "" if it does or is not asked for."""
        from urllib.parse import unquote

        from leoflow_builder.problem import did_you_mean

        root, _, rest = where.removeprefix("/").partition("/")
        dag_id = unquote(rest.partition("/")[0])
        if root != "dags" or dag_id in ("", "~"):
            return ""
        known = [dag["dag_id"] for dag in self.all_of("/dags", "dags", limit=1000)[0]]
        if dag_id in known:
            return ""
        others = " `leoflow dags` lists those it knows." if known else " It knows none: push one."
        hint = did_you_mean(dag_id, known) or others
        return f"'{self.address.url}' knows no DAG '{dag_id}'.{hint}"


def _trust(address: Address) -> ssl.SSLContext:
    """Return whose certificates count: those of LEOFLOW_CA, else the system's."""
    if not address.url.startswith("https:"):
        # Trusts nobody. To load certificates takes longer than most answers.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=address.ca)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"LEOFLOW_CA '{address.ca}' holds no certificates: {error}") from None


def _is_about_trust(error: httpx.HTTPError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _unanswered(error: httpx.HTTPError, address: Address) -> Unusable:
    url = address.url
    if _is_about_trust(error):
        return Unusable(
            f"the certificate of '{url}' is not trusted: {error}. If it is of an authority of "
            "your own, set LEOFLOW_CA to a PEM file of its certificates"
        )
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return Unanswered(
            f"no control plane answers at '{url}' ({address.url_source}): start one with "
            f"`leoflow server`, or set LEOFLOW_SERVER. {_reason(error)}"
        )
    if isinstance(error, (httpx.RemoteProtocolError, httpx.UnsupportedProtocol)):
        return Unanswered(f"'{url}' does not answer as an HTTP server does: {error}")
    if isinstance(error, httpx.TimeoutException):
        return Unanswered(f"the control plane at '{url}' did not answer in time")
    return Unanswered(f"the connection to '{url}' broke: {error or type(error).__name__}")


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "Nothing came back in 5 s."
    return system_words(error).rstrip(".") + "."
