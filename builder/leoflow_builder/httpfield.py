"""The fields of an http_api task, from whichever file: which may be XComs, which may not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leoflow_agent.spec import Argument, DictOf, HttpAction, Value, XCom

from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.written import Complaint, Refused, check

# Stands for a URL that is a result, which cannot be checked before the run.
_SOME_URL = "http://result"


def make_http(
    fields: Mapping[str, Argument], memo: Memo = FORGETFUL
) -> tuple[HttpAction | None, list[Complaint]]:
    """Return the action that ``fields`` describe, and what is wrong with them."""
    plain: dict[str, Any] = {}
    complaints: list[Complaint] = []
    for name, argument in fields.items():
        if name in ("headers", "query", "body"):
            continue
        if isinstance(argument, Value):
            plain[name] = argument.value
        elif name == "url" and isinstance(argument, XCom):
            plain[name] = _SOME_URL
        else:
            text = f"{name} has to be known before the run; results go into url, headers, query "
            text += "or body"
            complaints.append(Complaint((name,), text))
    headers = _mapping("headers", fields.get("headers"), complaints)
    query = _mapping("query", fields.get("query"), complaints)
    try:
        checked = dict(check(memo, "http", plain))
    except Refused as refused:
        known = {complaint.path for complaint in complaints}
        found = [item for item in refused.complaints if not _is_repeated(item, known)]
        return None, complaints + found
    url = fields["url"]
    checked["url"] = url if isinstance(url, XCom) else checked["url"]
    return _action(checked, headers, query, fields.get("body")), complaints


def _is_repeated(complaint: Complaint, known: set[tuple[str | int, ...]]) -> bool:
    return any(path[0] in complaint.message for path in known if isinstance(path[0], str))


def _action(
    plain: Mapping[str, Any],
    headers: Mapping[str, Argument],
    query: Mapping[str, Argument],
    body: Argument | None,
) -> HttpAction:
    values: dict[str, Any] = {
        key: tuple(one) if isinstance(one, list) else one for key, one in plain.items()
    }
    body = None if body == Value(None) else body
    return HttpAction(**values, headers=headers, query=query, body=body)


def _mapping(
    name: str, argument: Argument | None, complaints: list[Complaint]
) -> Mapping[str, Argument]:
    if argument is None or argument == Value(None):
        return {}
    if isinstance(argument, DictOf):
        return argument.items
    if isinstance(argument, Value) and isinstance(argument.value, dict):
        return {key: Value(item) for key, item in argument.value.items()}
    text = f"{name} has to be a mapping of names to values, whose values may be results"
    complaints.append(Complaint((name,), text))
    return {}
