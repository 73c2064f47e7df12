"""What the API server says when it does not do as asked, in its own words.

A `Refusal` is raised anywhere below the routes and becomes a Status body with its HTTP code.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer that is no success: ``code`` of HTTP, ``reason`` of metav1.StatusReason."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self.retry_after = retry_after

    def status(self) -> dict[str, Any]:
        """Give the body, of kind Status."""
        details = dict(self.details)
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }


def not_found(resource: str, name: str) -> Refusal:
    """There is no such object."""
    details = {"name": name, "kind": resource}
    return Refusal(404, "NotFound", f'{resource} "{name}" not found', details)


def no_such_path() -> Refusal:
    """There is no such resource."""
    return Refusal(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: str, name: str, *, is_going: bool) -> Refusal:
    """An object of that name is there, or about to be gone."""
    words = f'{resource} "{name}" already exists'
    if is_going:
        words = f"object is being deleted: {words}"
    return Refusal(409, "AlreadyExists", words, {"name": name, "kind": resource})


def conflict(resource: str, name: str, why: str) -> Refusal:
    """A precondition does not hold."""
    words = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return Refusal(409, "Conflict", words, {"name": name, "kind": resource})


def forbidden(resource: str, name: str, why: str) -> Refusal:
    """Admission or authorization says no."""
    words = f'{resource} "{name}" is forbidden: {why}'
    return Refusal(403, "Forbidden", words, {"name": name, "kind": resource})


def invalid(kind: str, name: str, causes: list[tuple[str, str]]) -> Refusal:
    """Fields have values that cannot be: pairs of field and words."""
    found = [f"{field}: {words}" for field, words in causes]
    joined = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
    details = {
        "name": name,
        "kind": kind,
        "causes": [
            {"reason": "FieldValueInvalid", "message": words, "field": field}
            for field, words in causes
        ],
    }
    return Refusal(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', details)


def bad_request(words: str) -> Refusal:
    """The request cannot be understood."""
    return Refusal(400, "BadRequest", words)


def unauthorized() -> Refusal:
    """The token is not, or no longer, valid."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def expired(words: str) -> Refusal:
    """A version is too old for what the server remembers."""
    return Refusal(410, "Expired", words)


def too_many_requests(retry_after: int = 1) -> Refusal:
    """Priority and fairness turns the request away."""
    words = "Too many requests, please try again later."
    return Refusal(429, "TooManyRequests", words, retry_after=retry_after)


def internal_error() -> Refusal:
    """The server itself fails: here, its storage."""
    words = "Internal error occurred: etcdserver: request timed out"
    return Refusal(500, "InternalError", words)


def unavailable() -> Refusal:
    """Nobody is there behind the load balancer."""
    return Refusal(
        503, "ServiceUnavailable", "the server is currently unable to handle the request"
    )
