"""A connection as Airflow writes it, a URI or a JSON object, taken apart into the API's fields.

Pure. The rules are those of Airflow's ``Connection``: docs, "Managing Connections", URI format.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from leoflow_cli.outcome import InvalidInput

FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
EXTRA_KEY = "__extra__"


def read_connection(name: str, value: Any) -> dict[str, Any]:
    """Return the fields of the connection ``name``; ``value`` is a URI, JSON, or an object of it.

    The errors (InvalidInput) do not repeat the value: it holds a secret.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise _invalid(name, f"is not JSON: {error}") from None
    if isinstance(value, dict):
        fields = _from_object(name, value)
    elif isinstance(value, str):
        fields = _from_uri(name, value)
    else:
        raise _invalid(name, "is neither a URI nor an object")
    if not fields.get("conn_type"):
        raise _invalid(name, "has no conn_type")
    body = {"connection_id": name, **dict.fromkeys(FIELDS), **fields}
    if body["description"] is None:
        # What is not said stays as it is.
        del body["description"]
    return body


def _from_object(name: str, value: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(value) - set(FIELDS))
    if unknown:
        raise _invalid(name, f"has the unknown key '{unknown[0]}'; it may have {', '.join(FIELDS)}")
    extra = value.get("extra")
    if isinstance(extra, dict):
        extra = json.dumps(extra, ensure_ascii=False)
    port = value.get("port")
    try:
        number = None if port in (None, "") else int(port)
    except (TypeError, ValueError):
        raise _invalid(name, f"has the port '{port}', which is no number") from None
    return {**value, "extra": extra or None, "port": number}


def _from_uri(name: str, uri: str) -> dict[str, Any]:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise _invalid(name, "has a URI that cannot be read") from None
    if not parts.scheme:
        raise _invalid(name, "is no URI: it begins with no type, such as postgres://")
    return {
        "conn_type": _conn_type(parts.scheme),
        "host": _host(parts),
        "login": _decoded(parts.username),
        "password": _decoded(parts.password),
        "schema": _decoded(parts.path[1:]),
        "port": port,
        "extra": _extra(name, parts.query),
    }


def _conn_type(scheme: str) -> str:
    return "postgres" if scheme == "postgresql" else scheme.replace("-", "_")


def _host(parts: SplitResult) -> str | None:
    """Return the host as it was written: urlsplit's is in small letters."""
    place = parts.netloc.rpartition("@")[2]
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return _decoded(place.partition(":")[0])


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None


def _extra(name: str, query: str) -> str | None:
    if not query:
        return None
    found = dict(parse_qsl(query, keep_blank_values=True))
    if EXTRA_KEY in found:
        try:
            json.loads(found[EXTRA_KEY])
        except ValueError:
            raise _invalid(name, f"has an {EXTRA_KEY} that is not JSON") from None
        return found[EXTRA_KEY]
    return json.dumps(found, ensure_ascii=False)


def _invalid(name: str, text: str) -> InvalidInput:
    return InvalidInput(f"connection '{name}' {text}")
