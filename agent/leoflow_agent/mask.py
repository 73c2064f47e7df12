"""Keeps what is secret in declared connections and variables out of reasons and logs.

Imported only for tries that were given some. What counts as secret is as in Airflow: passwords,
what has a name that sounds like one, and nothing shorter than 5 characters.
"""

from leoflow_agent import compactjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

CONNECTION, VARIABLE = "AIRFLOW_CONN_", "AIRFLOW_VAR_"
SHORTEST = 5
MASK = "***"
# Airflow's DEFAULT_SENSITIVE_FIELDS.
_SENSITIVE = (
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "keyfile_dict",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "secret",
    "service_account",
    "token",
)


class Mask:
    """Replaces the secrets of an environment in text and in bytes."""

    def __init__(self, environment: "dict[str, str]") -> None:
        found = {secret for secret in _secrets(environment) if len(secret) >= SHORTEST}
        # Longer ones first: one may be a part of another.
        self._secrets = sorted(found, key=lambda secret: (-len(secret), secret))
        self._encoded = [secret.encode("utf-8", "surrogateescape") for secret in self._secrets]

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def text(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def data(self, data: bytes) -> bytes:
        """Return ``data`` without the secrets."""
        for secret in self._encoded:
            data = data.replace(secret, MASK.encode())
        return data


def of_inputs(document: bytes) -> "Mask | None":
    """Return what masks the secrets in the JSON of a try's inputs, None if it holds none."""
    try:
        given: Any = compactjson.loads(document.decode())
        return Mask(given.get("environment") or {}) or None
    except (AttributeError, RecursionError, TypeError, ValueError):
        return None


def _secrets(environment: "dict[str, str]") -> "Iterator[str]":
    for name, value in environment.items():
        if name.startswith(CONNECTION):
            yield from _of_connection(value.strip())
        elif name.startswith(VARIABLE) and _is_sensitive(name):
            yield value
            yield from value.splitlines()


def _of_connection(value: str) -> "Iterator[str]":
    """A connection is a URI, or a JSON object, as in Airflow's environment variables."""
    if value.startswith("{"):
        try:
            yield from _of_document(compactjson.loads(value), sensitive=False)
        except ValueError:
            return
        return
    rest, _, query = value.partition("://")[2].partition("?")
    # A password is percent-encoded, or has what ends a host in it all the same.
    accounts = {part.rpartition("@")[0] for part in (rest, rest.partition("/")[0])}
    for pair in query.split("&"):
        key, _, found = pair.partition("=")
        if _is_sensitive(key):
            yield from _spellings(found)
        elif key == "__extra__":
            yield from _of_connection(_unquote(found))
    for account in accounts:
        yield from _spellings(account.partition(":")[2])


def _of_document(value: object, *, sensitive: bool) -> "Iterator[str]":
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "extra" and isinstance(item, str):
                yield from _of_connection(item.strip())
            else:
                yield from _of_document(item, sensitive=sensitive or _is_sensitive(key))
    elif isinstance(value, list):
        for item in value:
            yield from _of_document(item, sensitive=sensitive)
    elif isinstance(value, str) and sensitive:
        yield from _spellings(value)


def _spellings(secret: str) -> "Iterator[str]":
    plain = _unquote(secret)
    yield secret
    yield plain
    # As repr, JSON and the lines of a log show it.
    yield repr(plain)[1:-1]
    yield compactjson.quote(plain)[1:-1]
    yield from plain.splitlines()


def _is_sensitive(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _SENSITIVE)


def _unquote(text: str) -> str:
    first, *rest = text.split("%")
    data = first.encode("utf-8", "surrogateescape")
    for part in rest:
        try:
            data += bytes((int(part[:2], 16),)) + part[2:].encode("utf-8", "surrogateescape")
        except ValueError:
            data += b"%" + part.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "surrogateescape")
