"""Fill the values of upstream tasks into what a task was written with. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from leoflow_agent import wire
from leoflow_agent.action import (
    Action,
    Argument,
    BashAction,
    DictOf,
    FromEnvironment,
    HttpAction,
    HttpCondition,
    HttpPagination,
    HttpPoll,
    ListOf,
    Value,
    XCom,
    arguments_of,
    xcoms,
)
from leoflow_agent.wire import HttpRequest, Inputs

XComValues = Mapping[tuple[str, str], Any]


def resolve_inputs(action: Action, values: XComValues) -> Inputs:
    """Give the inputs of ``action``; a value that no upstream task left behind is None."""
    if isinstance(action, HttpAction):
        return Inputs(args=[], kwargs={}, environment={}, request=resolve_request(action, values))
    if isinstance(action, BashAction):
        call, environment = action.python, _texts(action.environment, values)
    else:
        call, environment = action, {}
    return Inputs(
        args=[_resolve(item, values) for item in call.args] if call else [],
        kwargs={k: _resolve(v, values) for k, v in call.kwargs.items()} if call else {},
        environment=environment,
        request=None,
    )


def resolve_request(action: HttpAction, values: XComValues) -> HttpRequest:
    """Give the request of an http_api task, every value filled in."""
    return HttpRequest(
        method=action.method,
        url=_text_or_later(action.url, values),
        headers={name: _text_or_later(item, values) for name, item in action.headers.items()},
        query={name: _text_or_later(item, values) for name, item in action.query.items()},
        body=None if action.body is None else _resolve(action.body, values),
        timeout_seconds=action.timeout_seconds,
        success_codes=list(action.success_codes),
        connect_timeout_seconds=action.connect_timeout_seconds,
        request_retries=action.request_retries,
        retry_codes=list(action.retry_codes),
        poll=_poll(action.poll) if action.poll else None,
        pagination=_pagination(action.pagination) if action.pagination else None,
        save_as=action.save_as,
    )


def _text_or_later(
    item: str | Argument | FromEnvironment, values: XComValues
) -> str | wire.FromEnvironment:
    """Give text, or what names a variable that only the task's process looks up."""
    if isinstance(item, FromEnvironment):
        return wire.FromEnvironment(env=item.env, prefix=item.prefix, part=item.part)
    return item if isinstance(item, str) else text_of(_resolve(item, values))


def _poll(poll: HttpPoll) -> wire.HttpPoll:
    return wire.HttpPoll(
        until=_condition(poll.until),
        interval_seconds=poll.interval_seconds,
        fail_when=_condition(poll.fail_when) if poll.fail_when else None,
    )


def _condition(condition: HttpCondition) -> wire.HttpCondition:
    return wire.HttpCondition(
        status=_listed(condition.status),
        path=condition.path,
        one_of=_listed(condition.one_of),
        none_of=_listed(condition.none_of),
    )


def _pagination(pagination: HttpPagination) -> wire.HttpPagination:
    return wire.HttpPagination(
        next=pagination.next,
        items=pagination.items,
        path=pagination.path,
        query=pagination.query,
        first_page=pagination.first_page,
        max_pages=pagination.max_pages,
        allowed_hosts=list(pagination.allowed_hosts),
    )


def _listed(items: tuple[Any, ...] | None) -> list[Any] | None:
    return None if items is None else list(items)


def needed_xcoms(action: Action) -> frozenset[tuple[str, str]]:
    """Name (task_id, key) of every value that ``action`` reads."""
    return frozenset(
        (item.task_id, item.key) for argument in arguments_of(action) for item in xcoms(argument)
    )


def text_of(value: Any) -> str:
    """Give ``value`` as text for an environment variable, a header or a query: JSON unless text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _texts(arguments: Mapping[str, Argument], values: XComValues) -> dict[str, str]:
    return {name: text_of(_resolve(argument, values)) for name, argument in arguments.items()}


def _resolve(argument: Argument, values: XComValues) -> Any:
    if isinstance(argument, Value):
        return argument.value
    if isinstance(argument, XCom):
        return values.get((argument.task_id, argument.key))
    if isinstance(argument, ListOf):
        return [_resolve(item, values) for item in argument.items]
    assert isinstance(argument, DictOf)
    return {key: _resolve(item, values) for key, item in argument.items.items()}
