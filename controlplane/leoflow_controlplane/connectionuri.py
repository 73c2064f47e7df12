"""Airflow's two ways to write a connection, fields and a URI, turned into each other. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from leoflow_controlplane.error import Refused

FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra")
# Holds what does not fit into a query of names and texts, as JSON.
EXTRA = "__extra__"


def read_connection(text: str) -> dict[str, Any]:
    """Return the fields of a connection that is written as a URI or as a JSON object.

    Fields that are not given are left out, ``extra`` is JSON text. Refused does not repeat what
    was written: it may hold a password.
    """
    fields = _of_json(text) if text.lstrip().startswith("{") else _of_uri(text.strip())
    if not fields.get("conn_type"):
        raise Refused(
            "a connection is written as a URI, such as 'postgres://user:password@host:5432/database'"
            ", or as a JSON object with a conn_type; what was given is neither."
        )
    return fields


def make_uri(fields: Mapping[str, Any]) -> str:
    """Write a connection as Airflow's URI; ``schema`` keeps its slashes, so that of an http
    connection it is the path of a URL."""
    protocol, _, host = (fields.get("host") or "").rpartition("://")
    uri = str(fields["conn_type"]).lower().replace("_", "-") + "://"
    uri += f"{protocol}://" if protocol else ""
    user = _quoted(fields.get("login"))
    if fields.get("password") is not None:
        user += ":" + _quoted(fields["password"])
    place = host if _is_ipv6(host) else _quoted(host)
    port = fields.get("port")
    has_user = bool(user) or (port is not None and not place)
    uri += (f"{user}@" if has_user else "") + place + (f":{port}" if port is not None else "")
    schema, query = fields.get("schema"), _query(fields.get("extra"))
    uri += f"/{quote(schema, safe='/')}" if schema else ""
    return uri + (("?" if schema else "/?") + query if query else "")


def _of_json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("a connection begins with '{' and is not JSON.") from None
    unknown = sorted(set(document) - {*FIELDS, "description"})
    if unknown:
        raise Refused(f"a connection has no '{unknown[0]}'. It has: {', '.join(FIELDS)}.")
    fields = {name: document[name] for name in FIELDS if document.get(name) is not None}
    if isinstance(fields.get("extra"), dict):
        fields["extra"] = json.dumps(fields["extra"])
    return fields


def _of_uri(uri: str) -> dict[str, Any]:
    scheme, _, rest = uri.partition("://")
    inner, found, after = rest.partition("://")
    # Airflow writes the protocol of a host in front of all of it: http://https://host.
    protocol = inner if found and inner.isalnum() else None
    try:
        parts = urlsplit("//" + (after if protocol else rest))
        port = parts.port
        host = _host(parts.netloc)
    except ValueError:
        return {}
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    fields = {
        "conn_type": _conn_type(scheme) if rest or "://" in uri else None,
        "host": f"{protocol}://{host}" if protocol and host else host or None,
        "login": unquote(parts.username) if parts.username else None,
        "password": None if parts.password is None else unquote(parts.password),
        "schema": unquote(parts.path[1:]) or None,
        "port": port,
        "extra": query.get(EXTRA) or (json.dumps(query) if query else None),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _host(netloc: str) -> str:
    """Give the host as it is written: urllib would make it lower case."""
    place = netloc.rpartition("@")[2]
    if place.startswith("["):
        return place.partition("]")[0] + "]"
    return unquote(place.partition(":")[0])


def _is_ipv6(host: str) -> bool:
    return host.startswith("[") and host.endswith("]")


def _conn_type(scheme: str) -> str:
    return "postgres" if scheme == "postgresql" else scheme.replace("-", "_")


def _quoted(text: str | None) -> str:
    return quote(text or "", safe="")


def _query(extra: str | None) -> str:
    if not extra:
        return ""
    document = json.loads(extra)
    if isinstance(document, dict) and document and EXTRA not in document:
        query = urlencode(document)
        if dict(parse_qsl(query, keep_blank_values=True)) == document:
            return query
    return urlencode({EXTRA: extra})
