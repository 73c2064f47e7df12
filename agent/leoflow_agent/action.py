"""What a task does and the values it is given: the contract's largest part, beside ``spec``.

Pure data, standard library only. Nothing here reads files or checks what a user wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
ConnectionPart = Literal["login", "password", "basic"]

_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class Value:
    """A JSON value written in the DAG itself."""

    value: Json
    kind: Literal["value"] = "value"
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class XCom:
    """A value that an upstream task leaves behind."""

    task_id: str
    key: str = "return_value"
    kind: Literal["xcom"] = "xcom"
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class ListOf:
    """A list of which at least one item is an XCom."""

    items: tuple[Argument, ...]
    kind: Literal["list"] = "list"
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class DictOf:
    """A mapping of which at least one value is an XCom."""

    items: Mapping[str, Argument]
    kind: Literal["dict"] = "dict"
    __pydantic_config__ = _STRICT


Argument = Value | XCom | ListOf | DictOf


def xcoms(argument: Argument) -> Iterator[XCom]:
    """Yield every XCom inside ``argument``, in the order in which it was written."""
    if isinstance(argument, XCom):
        yield argument
    elif isinstance(argument, ListOf):
        for item in argument.items:
            yield from xcoms(item)
    elif isinstance(argument, DictOf):
        for item in argument.items.values():
            yield from xcoms(item)


@dataclass(frozen=True)
class PythonAction:
    """Call a function of the project.

    ``function`` is None for a task of dag.py: it is then found by its task_id in the DAG
    that the module defines, so that functions nested in the DAG function work as well.
    """

    module: str
    function: str | None = None
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)
    kind: Literal["python"] = "python"
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class BashAction:
    """Run a command with bash; the last line of its stdout is the return value.

    Exactly one of ``command`` and ``python`` is given: with ``python`` the function is
    called first and returns the command.
    """

    command: str | None = None
    python: PythonAction | None = None
    environment: Mapping[str, Argument] = field(default_factory=dict)
    kind: Literal["bash"] = "bash"
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class FromEnvironment:
    """A variable of the task's environment, read when the request is made: no secret in dag.json.

    ``part`` reads the variable as an Airflow connection (a URI or JSON) and takes one thing of it;
    ``basic`` is the whole header Authorization of both. ``prefix`` goes in front.
    """

    env: str
    prefix: str = ""
    part: ConnectionPart | None = None
    kind: Literal["env"] = "env"
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class HttpCondition:
    """Holds when all that is set holds. ``path`` is a JSON path (`http.path`) into the answer."""

    status: tuple[int, ...] | None = None
    path: str | None = None
    one_of: tuple[Json, ...] | None = None
    none_of: tuple[Json, ...] | None = None
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class HttpPoll:
    """Send the request every ``interval_seconds`` until ``until`` holds; ``fail_when`` fails."""

    until: HttpCondition
    interval_seconds: float = 10.0
    fail_when: HttpCondition | None = None
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class HttpPagination:
    """Ask for page after page and join the lists at ``items`` (None: each answer is a list).

    ``next`` says where the next page is: a URL at ``path``, a cursor at ``path`` that goes into the
    query parameter ``query``, the header Link with rel=next, or a page number in ``query`` that
    counts from ``first_page`` until a page is empty. ``allowed_hosts`` get the same headers.
    """

    next: Literal["url", "cursor", "link_header", "page_number"]
    items: str | None = None
    path: str | None = None
    query: str | None = None
    first_page: int = 1
    max_pages: int = 100
    allowed_hosts: tuple[str, ...] = ()
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class HttpAction:
    """Send an HTTP request; the body of the answer is the return value.

    ``url`` may be what an upstream task returns. ``timeout_seconds`` is for each network operation,
    ``connect_timeout_seconds`` (None: the same) for connecting. A request that no answer came to is
    sent again ``request_retries`` times if that cannot do harm, one that was answered with one of
    ``retry_codes`` as well. ``save_as`` names a file in the task's artifacts for the body.
    ``inline`` runs in the control plane and pays no container, ``pod`` runs in a container
    like any other task.
    """

    url: str | XCom | FromEnvironment
    method: str = "GET"
    headers: Mapping[str, Argument | FromEnvironment] = field(default_factory=dict)
    query: Mapping[str, Argument | FromEnvironment] = field(default_factory=dict)
    body: Argument | None = None
    timeout_seconds: float = 30.0
    success_codes: tuple[int, ...] = (200, 201, 202, 203, 204, 206)
    execution_mode: Literal["inline", "pod"] = "inline"
    connect_timeout_seconds: float | None = None
    request_retries: int = 3
    retry_codes: tuple[int, ...] = ()
    poll: HttpPoll | None = None
    pagination: HttpPagination | None = None
    save_as: str | None = None
    kind: Literal["http_api"] = "http_api"
    __pydantic_config__ = _STRICT


Action = PythonAction | BashAction | HttpAction


def arguments_of(action: Action) -> Iterator[Argument]:
    """Yield every argument of ``action``, in the order in which it was written."""
    if isinstance(action, PythonAction):
        yield from action.args
        yield from action.kwargs.values()
    elif isinstance(action, BashAction):
        yield from action.environment.values()
        if action.python is not None:
            yield from arguments_of(action.python)
    else:
        if isinstance(action.url, XCom):
            yield action.url
        for item in (*action.headers.values(), *action.query.values()):
            if not isinstance(item, FromEnvironment):
                yield item
        if action.body is not None:
            yield action.body
