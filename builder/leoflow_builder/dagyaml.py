"""dag.yaml: the same DAG as dag.py draws, without Python. `{xcom: task_id}` is a result.

Reads text only; that the functions it names exist is the reader's to find out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from leoflow_agent.action import (
    Action,
    Argument,
    BashAction,
    DictOf,
    ListOf,
    PythonAction,
    Value,
    XCom,
)
from leoflow_agent.spec import Source
from pydantic import Field, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from leoflow_builder.complaint import complain
from leoflow_builder.dagentry import DagEntry
from leoflow_builder.drawing import Drawing, DrawnTask
from leoflow_builder.httpfield import make_http
from leoflow_builder.httpmodel import HttpField
from leoflow_builder.option import TaskOption
from leoflow_builder.problem import Problem
from leoflow_builder.said import said_task
from leoflow_builder.settings import FOREIGN_KEYS, Identifier
from leoflow_builder.writtenmodel import plain
from leoflow_builder.yamlfile import parse_yaml
from leoflow_builder.yamlplace import Path, YamlFile

_FUNCTION = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)
_ACTIONS = ("python", "bash", "http_api")
_ONLY_FOR = {"args": "python", "kwargs": "python", "environment": "bash"}


class _HttpSchema:
    """The schema of an http_api task, made when it is asked for: it is for editors."""

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(HttpField.__pydantic_core_schema__)


# Checked by make_http, which knows results from values.
HttpFields = Annotated[Mapping[str, Any], _HttpSchema()]


class TaskEntry(TaskOption):
    """One task: exactly one of python, bash and http_api, and the common settings."""

    python: str | None = Field(default=None, description="module:function of the project")
    args: list[Any] = Field(default_factory=list)
    kwargs: Mapping[str, Any] = Field(default_factory=dict)
    bash: str | None = Field(default=None, description="The command")
    environment: Mapping[str, Any] = Field(default_factory=dict)
    http_api: HttpFields | None = None
    upstream_task_ids: list[str] = Field(default_factory=list)


class DagFile(DagEntry):
    """dag.yaml."""

    tasks: Mapping[Identifier, TaskEntry]


def read_dag_yaml(text: str, name: str) -> tuple[Drawing | None, list[Problem]]:
    """Return the DAG that ``text`` of the file ``name`` draws, and all that is wrong with it."""
    file, problems = parse_yaml(text, name)
    if problems:
        return None, problems
    entry, problems = _validate(file)
    if entry is None:
        return None, problems
    drawing = _Drawing(file)
    tasks = [drawing.task(task_id, task) for task_id, task in entry.tasks.items()]
    drawn = Drawing(
        tasks=tuple(task for task in tasks if task is not None),
        source=Source(name, 1),
        dag_id=entry.dag_id,
        description=entry.description,
        tags=tuple(entry.tags),
        params=entry.params or {},
    )
    return drawn, [*problems, *drawing.problems]


def _validate(file: YamlFile) -> tuple[DagFile | None, list[Problem]]:
    """Return what is valid of the file, so that the rest is still checked, and what is not."""
    try:
        return DagFile.model_validate(file.value), []
    except ValidationError as error:
        complaints = complain(error, DagFile, FOREIGN_KEYS)
    problems = [file.problem(path, _named(path, message)) for path, message in complaints]
    remaining = file.value
    for path, _ in complaints:
        remaining = _without(remaining, path[:3] if path[:1] == ("tasks",) else path[:1])
    try:
        return DagFile.model_validate(remaining), problems
    except ValidationError:
        return None, problems


def _without(value: Any, path: Path) -> Any:
    if not path or not isinstance(value, dict):
        return value
    if len(path) == 1:
        return {key: item for key, item in value.items() if key != path[0]}
    return {
        key: _without(item, path[1:]) if key == path[0] else item for key, item in value.items()
    }


def _named(path: Path, message: str) -> str:
    """Return ``message`` with the task's name in front instead of its path in the file."""
    if len(path) < 3 or path[0] != "tasks":
        return message
    return f"task '{path[1]}': {message.removeprefix(f'tasks.{path[1]}.')}"


class _Drawing:
    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def task(self, task_id: str, entry: TaskEntry) -> DrawnTask | None:
        path: Path = ("tasks", task_id)
        action = self._action(path, entry)
        if action is None:
            return None
        for index, upstream in enumerate(entry.upstream_task_ids):
            if upstream in entry.upstream_task_ids[:index]:
                self._add((*path, "upstream_task_ids", index), f"'{upstream}' is named twice")
        line, _ = self.file.position(path)
        said = plain(entry)
        option = {name: said[name] for name in TaskOption.model_fields if name in said}
        return DrawnTask(
            task_id=task_id,
            action=action,
            option=said_task(option),
            source=Source(self.file.name, line),
            upstream=tuple(entry.upstream_task_ids),
        )

    def _action(self, path: Path, entry: TaskEntry) -> Action | None:
        kinds = [kind for kind in _ACTIONS if getattr(entry, kind) is not None]
        if len(kinds) != 1:
            found = f"has {' and '.join(kinds)}" if kinds else "has none"
            self._add(path, f"{found}: write exactly one of python, bash and http_api")
            return None
        for field, kind in _ONLY_FOR.items():
            if field in entry.model_fields_set and kind != kinds[0]:
                self._add((*path, field), f"'{field}' is for {kind} tasks only: remove it")
        if entry.python is not None:
            return self._python(path, entry, entry.python)
        if entry.bash is not None:
            environment = self._arguments((*path, "environment"), entry.environment)
            return BashAction(command=entry.bash, environment=environment)
        return self._http((*path, "http_api"), entry.http_api or {})

    def _python(self, path: Path, entry: TaskEntry, written: str) -> PythonAction | None:
        match = _FUNCTION.fullmatch(written)
        if match is None:
            self._add((*path, "python"), f"'{written}' is not of the form module:function")
            return None
        args = [self._argument((*path, "args", i), item) for i, item in enumerate(entry.args)]
        kwargs = self._arguments((*path, "kwargs"), entry.kwargs)
        return PythonAction(match[1], match[2], tuple(args), kwargs)

    def _http(self, path: Path, fields: Mapping[str, Any]) -> Action | None:
        action, complaints = make_http(self._arguments(path, fields))
        for complaint in complaints:
            self._add((*path, *complaint.path), complaint.message)
        return action

    def _arguments(self, path: Path, values: Mapping[str, Any]) -> dict[str, Argument]:
        return {name: self._argument((*path, name), item) for name, item in values.items()}

    def _argument(self, path: Path, value: Any) -> Argument:
        if isinstance(value, dict):
            if "xcom" in value:
                return self._xcom(path, value)
            named = self._arguments(path, value)
            return Value(value) if _are_plain(list(named.values())) else DictOf(named)
        if isinstance(value, list):
            items = [self._argument((*path, i), item) for i, item in enumerate(value)]
            return Value(value) if _are_plain(items) else ListOf(tuple(items))
        return Value(value)

    def _xcom(self, path: Path, value: dict[str, Any]) -> Argument:
        target = value["xcom"]
        if len(value) > 1:
            self._add(path, "beside 'xcom' there may be no other key: it stands for a result")
        elif isinstance(target, str):
            return XCom(target)
        elif isinstance(target, dict) and _is_full_xcom(target):
            return XCom(**target)
        else:
            text = "'xcom' has to be a task_id, or {task_id: …, key: …}, both text"
            self._add((*path, "xcom"), text)
        return Value(None)

    def _add(self, path: Path, message: str) -> None:
        self.problems.append(self.file.problem(path, f"task '{path[1]}': {message}"))


def _is_full_xcom(target: dict[str, Any]) -> bool:
    texts = all(isinstance(item, str) for item in target.values())
    return texts and "task_id" in target and set(target) <= {"task_id", "key"}


def _are_plain(arguments: list[Argument]) -> bool:
    return all(isinstance(argument, Value) for argument in arguments)
