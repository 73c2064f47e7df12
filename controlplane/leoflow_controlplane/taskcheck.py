"""What in one task of a pushed DAG could not run. Pure.

The builder checks what people write; a pushed document may come from anywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from leoflow_agent.action import (
    Action,
    Argument,
    BashAction,
    DictOf,
    HttpAction,
    ListOf,
    Value,
    XCom,
    arguments_of,
    xcoms,
)
from leoflow_agent.podname import bad_resource
from leoflow_agent.spec import Expansion, Resources, TaskSpec, Webhook

from leoflow_controlplane.podcheck import check_pod

# What instants and columns hold with room to spare: ten years, 1 PiB, a 32-bit number.
LONGEST_SECONDS = 10 * 365 * 86_400
MOST_BYTES = 2**50
MOST = 2**31 - 1
_AMOUNTS = {"cpu_millis": MOST, "memory_bytes": MOST_BYTES, "ephemeral_storage_bytes": MOST_BYTES}
_ALWAYS_ASKED = ("cpu_millis", "memory_bytes")

_ID = re.compile(r"[A-Za-z0-9_.\-]{1,250}")
_NAME = re.compile(r"[A-Za-z0-9_]{1,250}")
_METHOD = re.compile(r"[A-Za-z]{1,20}")
_URL = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)


def check_id(kind: str, name: str) -> Iterator[str]:
    """Say that ``name`` may not be an id: Airflow's rule, and no name of a folder above."""
    if not _ID.fullmatch(name) or set(name) == {"."}:
        yield (
            f"{kind} '{name[:250]}' may hold only letters, digits, '-', '_' and '.', "
            "1 to 250 of them, and not only dots"
        )


def check_count(name: str, value: int | None, least: int, most: int = MOST) -> Iterator[str]:
    """Say that a whole number is too small or too large."""
    if value is not None and not least <= value <= most:
        yield f"{name} is {value}, and has to be from {least} to {most}"


def check_seconds(name: str, value: float | None, least: float = 0.0) -> Iterator[str]:
    """Say that a time is none; with ``least`` 0 it has to be more than that."""
    if value is None or (math.isfinite(value) and 0 < value <= LONGEST_SECONDS and value >= least):
        return
    begin = f"from {least:g}" if least else "more than 0"
    yield f"{name} is {value:g}, and has to be {begin} and at most {LONGEST_SECONDS}"


def check_webhooks(webhooks: tuple[Webhook, ...]) -> Iterator[str]:
    """Say which webhooks lead nowhere."""
    for webhook in webhooks:
        if (webhook.url is None) == (webhook.connection is None):
            yield "a webhook has to have either a url or a connection"
        elif webhook.url is not None and not _URL.match(webhook.url):
            yield "a webhook's url has to begin with http:// or https:// and a host"


def check_task(task: TaskSpec) -> Iterator[str]:
    """Say what is wrong with one task, whatever the others are."""
    yield from check_id("task_id", task.task_id)
    yield from check_count("retries", task.retries, 0)
    if task.retry_delay_seconds != 0:
        yield from check_seconds("retry_delay_seconds", task.retry_delay_seconds)
    yield from check_seconds("execution_timeout_seconds", task.execution_timeout_seconds)
    yield from check_seconds("max_retry_delay_seconds", task.max_retry_delay_seconds)
    yield from check_count("max_active_tis_per_dag", task.max_active_tis_per_dag, 1)
    yield from check_count("max_active_tis_per_dagrun", task.max_active_tis_per_dagrun, 1)
    for kind, names in (("variable", task.variables), ("connection", task.connections)):
        for name in names:
            if not _NAME.fullmatch(name):
                yield f"{kind} '{name[:250]}' may hold only letters, digits and '_'"
    if task.is_setup and task.teardown is not None:
        yield "it is a setup and a teardown, and can be only one of them"
    yield from _check_resources(task.resources)
    yield from check_pod(task)
    yield from _check_action(task.action)
    yield from _check_expansion(task)
    yield from check_webhooks((*task.on_success, *task.on_failure))


def references(task: TaskSpec) -> Iterator[tuple[str, str]]:
    """Yield what has to come before ``task``, each with how it is named in a message."""
    for name in task.upstream_task_ids:
        yield name, "waits for"
    for name in task.teardown.setups if task.teardown else ():
        yield name, "cleans up after"
    arguments = [*arguments_of(task.action)]
    if task.expansion is not None:
        arguments += task.expansion.arguments()
    for argument in arguments:
        for one in xcoms(argument):
            yield one.task_id, "reads from"


def _check_resources(resources: Resources) -> Iterator[str]:
    requests, limits = resources.requests, resources.limits
    for unit, most in _AMOUNTS.items():
        asked, limit = getattr(requests, unit), getattr(limits, unit)
        if asked is None and unit in _ALWAYS_ASKED:
            yield f"resources.requests.{unit} is missing"
        yield from check_count(f"resources.requests.{unit}", asked, 1, most)
        yield from check_count(f"resources.limits.{unit}", limit, 1, most)
        if asked is not None and limit is not None and limit < asked:
            yield f"resources.limits.{unit} is {limit}, less than the {asked} that are requested"
    yield from _check_extended(requests.extended, limits.extended)


def _check_extended(requests: Mapping[str, int], limits: Mapping[str, int]) -> Iterator[str]:
    for name, amount in (*requests.items(), *limits.items()):
        problem = bad_resource(name)
        if problem is not None:
            yield problem
        yield from check_count(f"resources.{name[:250]}", amount, 1)
        if requests.get(name, amount) != limits.get(name, amount):
            yield f"resources.limits.{name[:250]} has to be as much as is requested"


def _check_action(action: Action) -> Iterator[str]:
    if isinstance(action, BashAction):
        if (action.command is None) == (action.python is None):
            yield "a bash task has to have either a command or a function"
    elif isinstance(action, HttpAction):
        yield from _check_http(action)


def _check_http(action: HttpAction) -> Iterator[str]:
    if isinstance(action.url, str) and not _URL.match(action.url):
        yield "url has to begin with http:// or https:// and a host"
    if not _METHOD.fullmatch(action.method):
        yield f"method '{action.method[:20]}' is no HTTP method"
    yield from check_seconds("timeout_seconds", action.timeout_seconds)
    yield from check_seconds("connect_timeout_seconds", action.connect_timeout_seconds)
    yield from check_count("request_retries", action.request_retries, 0)
    if action.poll is not None:
        yield from check_seconds("poll.interval_seconds", action.poll.interval_seconds)
    if action.pagination is not None:
        yield from check_count("pagination.max_pages", action.pagination.max_pages, 1)
    if action.save_as is not None and action.execution_mode == "inline":
        yield "save_as needs execution_mode: pod: an inline call has no folder for files"


def _check_expansion(task: TaskSpec) -> Iterator[str]:
    expansion = task.expansion
    if expansion is None:
        return
    if isinstance(task.action, HttpAction):
        yield "an http_api task cannot be expanded"
    if bool(expansion.kwargs) == (expansion.listed is not None):
        yield "expansion has to have either kwargs or listed"
    for name, argument in _expanded(expansion):
        if not _can_be_expanded(argument):
            yield f"expansion.{name} has to be a list, a mapping or a result"


def _expanded(expansion: Expansion) -> Iterator[tuple[str, Argument]]:
    yield from expansion.kwargs.items()
    if expansion.listed is not None:
        yield "listed", expansion.listed


def _can_be_expanded(argument: Argument) -> bool:
    if isinstance(argument, Value):
        return isinstance(argument.value, list | dict)
    return isinstance(argument, XCom | ListOf | DictOf)
