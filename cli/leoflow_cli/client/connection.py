"""A connection as people and Airflow's export write it, as the fields that the API takes."""

from __future__ import annotations

import json
from typing import Any

from leoflow_controlplane import connectionuri
from leoflow_controlplane.error import Refused

from leoflow_cli.outcome import InvalidInput

FIELDS = (*connectionuri.FIELDS, "description")


def read_connection(name: str, value: Any) -> dict[str, Any]:
    """Return the fields of the connection ``name``; ``value`` is a URI, JSON, or an object of it.

    All fields are there, so that one which is not given is emptied, but for the description. The
    errors (InvalidInput) do not repeat the value: it holds a secret.
    """
    if isinstance(value, dict):
        value = json.dumps(value)
    if not isinstance(value, str):
        raise InvalidInput(f"connection '{name}' is neither a URI nor an object")
    try:
        fields = connectionuri.read_connection(value)
    except Refused as refused:
        raise InvalidInput(f"connection '{name}': {refused}") from None
    description = _description(value)
    said = {} if description is None else {"description": description}
    return {"connection_id": name, **dict.fromkeys(connectionuri.FIELDS), **fields, **said}


def _description(value: str) -> Any:
    return json.loads(value).get("description") if value.lstrip().startswith("{") else None
