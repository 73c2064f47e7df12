"""What a control plane's answer means: a JSON document, or an error with a text and exit code.

Pure: looks at the answer, asks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leoflow_cli.client.address import Address
from leoflow_cli.outcome import InvalidInput, Unusable

if TYPE_CHECKING:
    import httpx

# What is said of a path that is not served at all, by leoflow and by others.
UNKNOWN_PATH = ("there is nothing at", "Not Found")
SHOWN_CHARACTERS = 200
PASSING = (429, 502, 503, 504)


class Refused(InvalidInput):
    """The control plane does not do what was asked; ``detail`` are its own words."""

    def __init__(self, text: str, status: int, detail: str) -> None:
        super().__init__(text)
        self.status = status
        self.detail = detail


class Unanswered(Unusable):
    """Nobody answers, or not now: to ask again later makes sense."""


def read_answer(answer: httpx.Response, address: Address) -> Any:
    """Return the JSON document of ``answer``, None for an empty one; its body has been read.

    Raises Refused, Unanswered (429, 502 to 504) or Unusable.
    """
    status = answer.status_code
    if answer.is_success:
        return None if status == 204 or not answer.content else _document(answer, address)
    if answer.is_redirect:
        raise Unusable(
            f"'{address.url}' answers with a redirect to '{answer.headers.get('location')}': "
            "set LEOFLOW_SERVER to the control plane's own URL"
        )
    if status == 401:
        raise Refused(_unauthorized(address), status, "")
    try:
        body = _document(answer, address)
    except Unusable:
        # A proxy has words of its own while nobody answers behind it.
        if status not in PASSING:
            raise
        body = {}
    lines = list(_details(body)) or [f"HTTP {status}"]
    detail = "\n".join(lines)
    if status in PASSING:
        raise Unanswered(f"the control plane at '{address.url}' cannot answer now: {detail}")
    if status >= 500:
        raise Unusable(f"the control plane at '{address.url}' failed (HTTP {status}): {detail}")
    if status == 403:
        raise Refused(
            f"the token from {address.token_source} may not do this: {detail}", status, detail
        )
    if status == 404 and detail.startswith(UNKNOWN_PATH):
        raise Unusable(
            f"'{address.url}' does not know '{answer.request.method} {answer.request.url.path}': "
            "it is no leoflow control plane, or one of another version"
        )
    raise Refused(_listed(lines), status, detail)


def _document(answer: httpx.Response, address: Address) -> Any:
    try:
        return answer.json()
    except ValueError:
        text = " ".join(answer.text.split())[:SHOWN_CHARACTERS]
        raise Unusable(
            f"'{address.url}' is no leoflow control plane: it answers HTTP {answer.status_code} "
            f"with '{text}' instead of JSON. It is from {address.url_source}; set LEOFLOW_SERVER "
            "to a control plane's URL"
        ) from None


def _details(body: Any) -> Iterator[str]:
    """Give the reasons in an error's body; those of single fields begin with the field."""
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, str):
        yield from (line for line in detail.splitlines() if line.strip())
    elif isinstance(detail, list):
        for one in detail:
            yield _field_detail(one) if isinstance(one, dict) else str(one)
    elif isinstance(detail, dict):
        yield from (str(value) for value in detail.values())


def _field_detail(one: dict[str, Any]) -> str:
    where = [str(part) for part in one.get("loc", ()) if part not in ("body", "query", "path")]
    place = ".".join(where)
    return f"{place}: {one.get('msg')}" if place else str(one.get("msg"))


def _listed(lines: list[str]) -> str:
    if len(lines) == 1:
        return lines[0]
    return "\n".join(["the control plane refuses it:", *(f"  {line}" for line in lines)])


def _unauthorized(address: Address) -> str:
    if address.token is None:
        return (
            f"'{address.url}' asks for a token, and none was found: {address.token_source}. Set "
            "LEOFLOW_TOKEN to one that `leoflow tokens create` has made"
        )
    return (
        f"'{address.url}' does not accept the token from {address.token_source}: it is another "
        "server's, was deleted, or has expired. Set LEOFLOW_TOKEN to one that is valid there"
    )
