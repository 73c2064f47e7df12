"""Says what an answer means that was not asked for. It sends nothing.

Codes: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes
"""

from __future__ import annotations

from typing import NoReturn

import httpx

from leoflow_builder.registry.failure import (
    AccessDenied,
    DigestMismatch,
    NotInRegistry,
    PlainHttp,
    Refused,
    RegistryError,
    Temporary,
)
from leoflow_builder.registry.retry import retry_after_seconds
from leoflow_builder.registry.setting import INSECURE_VARIABLE

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_ADVICE = {
    405: "This registry does not let anybody write, or it is no registry",
    413: "The registry, or a proxy before it, has a limit for sizes: raise it",
}
_LONGEST = 300


def check(response: httpx.Response, host: str, doing: str, tried: str, now: float) -> NoReturn:
    """Raise what an unexpected answer means; ``tried`` names the credentials, for people."""
    raise _failure(response, host, doing, tried, now)


def codes(response: httpx.Response) -> set[str]:
    """Return the specification's error codes in an answer."""
    return {code for code, _ in _errors(response)}


def _failure(
    response: httpx.Response, host: str, doing: str, tried: str, now: float
) -> RegistryError:
    status = response.status_code
    said = f"HTTP {status}{_said(response)}"
    failed = f"{doing} failed: registry '{host}' answered {said}"
    if status in (401, 403):
        return AccessDenied(
            f"{doing} failed: registry '{host}' refused it {tried} ({said}). "
            f"Run `docker login {host}` as somebody who may, and check the name"
        )
    if status in _AGAIN:
        after = retry_after_seconds(response.headers.get("Retry-After"), now)
        return Temporary(failed, after)
    if status == 404:
        return NotInRegistry(f"{failed}. Check the name; it may be private, or not pushed yet")
    if "DIGEST_INVALID" in codes(response):
        return DigestMismatch(f"{failed}. The content changed on the way: build and push again")
    is_plain = response.url.scheme == "http"
    if status == 400 and is_plain and "https" in response.text.lower():
        return PlainHttp(f"{failed}. It talks TLS: take '{host}' out of {INSECURE_VARIABLE}")
    if 300 <= status < 400:
        return Refused(f"{failed}. Name the registry by the address that it redirects to")
    advice = _ADVICE.get(status)
    return Refused(f"{failed}. {advice}" if advice else failed)


def _said(response: httpx.Response) -> str:
    errors = [f"{code} {text}".strip() for code, text in _errors(response)]
    if errors:
        return f": {'; '.join(errors)}"[:_LONGEST]
    text = " ".join(response.text.split())
    return f": {text}"[:_LONGEST] if text and not text.startswith("<") else ""


def _errors(response: httpx.Response) -> list[tuple[str, str]]:
    try:
        errors = response.json()["errors"]
        return [(str(one["code"]), str(one.get("message") or "")) for one in errors]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
