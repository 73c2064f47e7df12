"""One request until it has an answer: redirects, and what is worth another attempt. Pure.

Nothing that is said here shows a query, a header, a body or where a redirect leads to exactly.
"""

import json
import re

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict
from leoflow_agent.http import secret
from leoflow_agent.http.answer import header, retry_after
from leoflow_agent.http.step import Broken, Line, Pause, Send
from leoflow_agent.http.url import (
    UrlInvalid,
    clean,
    follow,
    is_same_server,
    shown,
    shown_server,
    with_query,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

    from leoflow_agent.http.step import Answer
    from leoflow_agent.http.talk import Steps
    from leoflow_agent.wire import HttpRequest

# RFC 9110, 9.2.2: doing it twice has the effect of doing it once.
IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 10
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

# RFC 9110, 5.6.2; and what follows from the body.
_HEADER_NAME = re.compile(r"[\w!#$%&'*+\-.^`|~]+", re.ASCII)
_OWN_HEADERS = ("content-length", "transfer-encoding")
_LATER_FIELDS: "dict[str, Any]" = {
    "connect_timeout_seconds": None,
    "request_retries": 0,
    "retry_codes": [],
    "poll": None,
    "pagination": None,
    "save_as": None,
}


class Question:
    """A request with its secrets filled in. Verdict if one is not there or cannot be sent.

    ``roll`` gives a number from 0 to 1, ``clock`` the seconds since the epoch.
    """

    def __init__(
        self,
        request: "HttpRequest",
        environment: "Mapping[str, str]",
        roll: "Callable[[], float]",
        clock: "Callable[[], float]",
    ) -> None:
        self.request: dict[str, Any] = {**_LATER_FIELDS, **request}
        self.secrets = secret.Secrets()
        self.success_codes = tuple(request["success_codes"])
        self.saves = self.request["save_as"] is not None
        self.query_credentials: dict[str, str] = {}
        self._roll = roll
        self._clock = clock
        try:
            self._fill_in(environment)
        except Verdict as verdict:
            raise Verdict(verdict.exit_code, self.secrets.hide(verdict.reason)) from None

    def _fill_in(self, environment: "Mapping[str, str]") -> None:
        request = self.request
        query = {}
        for name, source in request["query"].items():
            query[name] = secret.read(source, f"query.{name}", environment, self.secrets)
            if not isinstance(source, str):
                self.query_credentials[name] = query[name]
        written = secret.read(request["url"], "url", environment, self.secrets)
        # A URL that is not in dag.json is a secret as a whole, but for the server.
        address = shown if isinstance(request["url"], str) else shown_server
        self.place = f"{request['method']} {address(written)}"
        try:
            self.url, user = clean(with_query(written.strip(), query))
        except UrlInvalid as error:
            raise self._failed(f"cannot be asked for: {error}") from None
        texts = {
            name: secret.read(source, f"headers.{name}", environment, self.secrets)
            for name, source in request["headers"].items()
        }
        if user is not None and "authorization" not in map(str.lower, texts):
            texts["Authorization"] = secret.basic(*user)
            self.secrets.add(user[1])
        for credential in secret.credentials_in(texts):
            self.secrets.add(credential)
        self.place = self.secrets.hide(self.place)
        self._headers = self._sendable(texts)
        self._body = _encode(request["body"])

    def _sendable(self, texts: "Mapping[str, str]") -> "dict[str, bytes]":
        """Return the headers as bytes, with those that both modes always send."""
        headers = {"User-Agent": b"leoflow", "Accept": b"*/*", "Accept-Encoding": b"identity"}
        body = self.request["body"]
        if body is not None and not isinstance(body, str):
            headers["Content-Type"] = b"application/json"
        for name, text in texts.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
                raise self._failed(f"cannot be sent: '{name}' is no header that can be set")
            if any(ord(character) < 32 and character != "\t" for character in text):
                raise self._failed(
                    f"cannot be sent: the value of header '{name}' has a line break or another "
                    "control character"
                )
            for known in [key for key in headers if key.lower() == name.lower()]:
                del headers[known]
            headers[name] = text.encode()
        return headers

    def ask(self, url: str, read_bytes: int, save_codes: "Collection[int]") -> "Steps":
        """Send the request to ``url``, and return the answer and the URL that gave it."""
        hop = _Hop(self.request["method"], url, self._headers, self._body)
        failures = redirects = 0
        while True:
            reply = yield self._send(hop, read_bytes, save_codes)
            pause = self._pause_before_another(hop, reply, failures)
            if pause is not None:
                failures += 1
                yield Line(f"{self.place} {_what(reply)}; again in {pause:.1f} s")
                yield Pause(pause)
            elif isinstance(reply, Broken):
                raise self._failed(_what(reply) + (f" ({failures + 1} times)" if failures else ""))
            elif not self._is_redirect(reply):
                return reply, hop.url
            else:
                redirects += 1
                if redirects > MAX_REDIRECTS:
                    raise self._failed(f"was redirected more than {MAX_REDIRECTS} times")
                hop = self._redirected(hop, reply)
                yield Line(f"{self.place}: {reply.status}, goes on at {shown_server(hop.url)}")

    def check(self, answer: "Answer") -> None:
        """Raise the Verdict of an answer that is no success."""
        if answer.status not in self.success_codes:
            codes = list(self.success_codes)
            raise self._failed(f"was answered with {answer.status}, success_codes are {codes}")

    def _send(self, hop: "_Hop", read_bytes: int, save_codes: "Collection[int]") -> Send:
        read_seconds = self.request["timeout_seconds"]
        connect_seconds = self.request["connect_timeout_seconds"] or read_seconds
        return Send(
            hop.method,
            hop.url,
            hop.headers,
            hop.body,
            connect_seconds,
            read_seconds,
            read_bytes,
            frozenset(save_codes),
        )

    def _pause_before_another(
        self, hop: "_Hop", reply: "Answer | Broken", failures: int
    ) -> "float | None":
        """Return the seconds after which to send the same again, or None not to."""
        if failures >= self.request["request_retries"]:
            return None
        backoff = min(FIRST_PAUSE_SECONDS * 2.0**failures, LONGEST_PAUSE_SECONDS)
        backoff *= 0.5 + self._roll() / 2
        if isinstance(reply, Broken):
            harmless = not reply.sent or hop.method in IDEMPOTENT
            return backoff if reply.passing and harmless else None
        if reply.status not in self.request["retry_codes"]:
            return None
        asked = retry_after(reply, self._clock())
        return backoff if asked is None else asked

    def _is_redirect(self, answer: "Answer") -> bool:
        return answer.status in REDIRECTS and answer.status not in self.success_codes

    def _redirected(self, hop: "_Hop", answer: "Answer") -> "_Hop":
        target = header(answer, "location")
        if target is None:
            raise self._failed(f"was answered with {answer.status} and no header Location")
        try:
            url = follow(hop.url, target)
        except UrlInvalid as error:
            raise self._failed(f"was redirected to what cannot be asked for: {error}") from None
        method, body, headers = hop.method, hop.body, dict(hop.headers)
        # RFC 9110, 15.4: what everybody does.
        if (answer.status == 303 and method != "HEAD") or (
            answer.status in (301, 302) and method == "POST"
        ):
            method, body = "GET", None
            headers = {key: text for key, text in headers.items() if key.lower() != "content-type"}
        if not is_same_server(hop.url, url):
            headers = secret.headers_for_another_server(headers)
        return _Hop(method, url, headers, body)

    def _failed(self, text: str) -> Verdict:
        return Verdict(exitcode.USER_FAILURE, f"{self.place} {text}")


class _Hop:
    """The request as it goes to one server."""

    def __init__(
        self, method: str, url: str, headers: "dict[str, bytes]", body: "bytes | None"
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body


def _what(reply: "Answer | Broken") -> str:
    if isinstance(reply, Broken):
        return f"got no answer: {reply.text}"
    return f"was answered with {reply.status}"


def _encode(body: "Any") -> "bytes | None":
    if body is None:
        return None
    return (body if isinstance(body, str) else json.dumps(body)).encode()
