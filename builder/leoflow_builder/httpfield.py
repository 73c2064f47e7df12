"""The fields of an http_api task, from whichever file: which may be XComs or variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from leoflow_agent.action import (
    Argument,
    ConnectionPart,
    DictOf,
    FromEnvironment,
    HttpAction,
    HttpCondition,
    HttpPagination,
    HttpPoll,
    Value,
    XCom,
)

from leoflow_builder.httprule import check_fields
from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.written import Complaint, Refused, check

# Stands for a URL that cannot be checked before the run.
_SOME_URL = "http://result"
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PARTS = get_args(ConnectionPart)

Given = Argument | FromEnvironment


def make_http(
    fields: Mapping[str, Argument], memo: Memo = FORGETFUL
) -> tuple[HttpAction | None, list[Complaint]]:
    """Return the action that ``fields`` describe, and what is wrong with them."""
    plain: dict[str, Any] = {}
    complaints: list[Complaint] = []
    url = _given("url", fields.get("url", Value(None)), complaints)
    for name, argument in fields.items():
        if name in ("headers", "query", "body"):
            continue
        if name == "url" and not isinstance(url, Value):
            plain[name] = _SOME_URL
        elif isinstance(argument, Value):
            plain[name] = argument.value
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
    checked["url"] = url if isinstance(url, XCom | FromEnvironment) else checked["url"]
    action = _action(checked, headers, query, fields.get("body"))
    return action, complaints + check_fields(action)


def _is_repeated(complaint: Complaint, known: set[tuple[str | int, ...]]) -> bool:
    return any(path[0] in complaint.message for path in known if isinstance(path[0], str))


def _action(
    plain: Mapping[str, Any],
    headers: Mapping[str, Given],
    query: Mapping[str, Given],
    body: Argument | None,
) -> HttpAction:
    values = _fixed(plain)
    if values.get("poll") is not None:
        values["poll"] = _poll(values["poll"])
    if values.get("pagination") is not None:
        values["pagination"] = HttpPagination(**_fixed(values["pagination"]))
    body = None if body == Value(None) else body
    return HttpAction(**values, headers=headers, query=query, body=body)


def _poll(written: Mapping[str, Any]) -> HttpPoll:
    conditions = {
        name: _condition(written[name])
        for name in ("until", "fail_when")
        if written.get(name) is not None
    }
    return HttpPoll(**{**written, **conditions})


def _condition(written: Mapping[str, Any]) -> HttpCondition:
    values = _fixed(written)
    if "equals" in values:
        values["one_of"] = (values.pop("equals"),)
    return HttpCondition(**values)


def _fixed(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in document.items()}


def _mapping(
    name: str, argument: Argument | None, complaints: list[Complaint]
) -> Mapping[str, Given]:
    if argument is None or argument == Value(None):
        return {}
    items: Mapping[str, Argument]
    if isinstance(argument, DictOf):
        items = argument.items
    elif isinstance(argument, Value) and isinstance(argument.value, dict):
        items = {key: Value(item) for key, item in argument.value.items()}
    else:
        text = f"{name} has to be a mapping of names to values, whose values may be results"
        complaints.append(Complaint((name,), text))
        return {}
    return {key: _given(f"{name}.{key}", item, complaints) for key, item in items.items()}


def _given(name: str, argument: Argument, complaints: list[Complaint]) -> Given:
    """Return a variable of the environment where one is written, else the argument."""
    if not isinstance(argument, Value) or not isinstance(argument.value, dict):
        return argument
    written = argument.value
    if "env" not in written:
        return argument
    path = tuple(name.split(".", 1))
    for key in sorted(set(written) - {"env", "prefix", "part"}):
        text = f"{name}: unknown key '{key}' beside 'env'. Known are prefix, part."
        complaints.append(Complaint(path, text))
    if not _is_variable(written["env"]):
        text = f"{name}: env has to be the name of a variable, not '{written['env']}'"
        complaints.append(Complaint(path, text))
    if not isinstance(written.get("prefix", ""), str):
        complaints.append(Complaint(path, f"{name}: prefix has to be text"))
    if written.get("part") not in (None, *_PARTS):
        text = f"{name}: part '{written['part']}' is none that leoflow knows. "
        complaints.append(Complaint(path, text + f"There are {', '.join(_PARTS)}."))
    known = {key: written[key] for key in ("prefix", "part") if key in written}
    return FromEnvironment(str(written["env"]), **known)


def _is_variable(name: object) -> bool:
    return isinstance(name, str) and _VARIABLE.fullmatch(name) is not None
