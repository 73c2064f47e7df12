"""Where the values of Airflow variables and connections come from, and who is given which.

A task is given those that it declares and no other. Values pass through here and are kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

from leoflow_agent.spec import TaskSpec

Kind = Literal["variable", "connection"]

VARIABLE_PREFIX, CONNECTION_PREFIX = "AIRFLOW_VAR_", "AIRFLOW_CONN_"
_EXAMPLES: dict[Kind, str] = {
    "variable": "value",
    "connection": "postgres://user:password@host:5432/database",
}


class SecretSource(Protocol):
    """Knows variables and connections by their Airflow names; None for one that it has not."""

    def variable(self, name: str) -> str | None: ...

    def connection(self, name: str) -> str | None:
        """Return a connection as Airflow writes it: a URI, or a JSON object."""

    def why_missing(self, kind: Kind, name: str) -> str:
        """Say why there is no such variable or connection, and what to do."""


class EnvironmentSecrets:
    """Airflow's own environment backend: AIRFLOW_VAR_NAME and AIRFLOW_CONN_NAME."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def variable(self, name: str) -> str | None:
        """Return the variable ``name``."""
        return self._environment.get(VARIABLE_PREFIX + name.upper())

    def connection(self, name: str) -> str | None:
        """Return the connection ``name``."""
        return self._environment.get(CONNECTION_PREFIX + name.upper())

    def why_missing(self, kind: Kind, name: str) -> str:
        """Name the variable of the environment."""
        return _not_set(kind, name)


class SecretChain:
    """Asks the environment first and then the store, as Airflow does."""

    def __init__(self, environment: SecretSource, store: SecretSource) -> None:
        self._environment = environment
        self._store = store

    def variable(self, name: str) -> str | None:
        """Return the variable ``name``."""
        value = self._environment.variable(name)
        return self._store.variable(name) if value is None else value

    def connection(self, name: str) -> str | None:
        """Return the connection ``name``."""
        value = self._environment.connection(name)
        return self._store.connection(name) if value is None else value

    def why_missing(self, kind: Kind, name: str) -> str:
        """Say what the store says: it is where one is put."""
        return self._store.why_missing(kind, name)


class FakeSecrets:
    """Holds what it is made with; names are as the task declares them."""

    def __init__(
        self,
        variables: Mapping[str, str] | None = None,
        connections: Mapping[str, str] | None = None,
    ) -> None:
        self.variables = dict(variables or {})
        self.connections = dict(connections or {})

    def variable(self, name: str) -> str | None:
        """Return the variable ``name``."""
        return self.variables.get(name)

    def connection(self, name: str) -> str | None:
        """Return the connection ``name``."""
        return self.connections.get(name)

    def why_missing(self, kind: Kind, name: str) -> str:
        """Say what the environment would say."""
        return _not_set(kind, name)


class _Declared(NamedTuple):
    kind: Kind
    name: str
    variable: str
    value: str | None


def declares_secrets(task: TaskSpec) -> bool:
    """Say whether a task is to be given anything."""
    return bool(task.variables or task.connections)


def find_secrets(task: TaskSpec, source: SecretSource) -> dict[str, str]:
    """Return what a task declares, by the name of the environment variable that it gets it in."""
    return {one.variable: one.value for one in _declared(task, source) if one.value is not None}


def find_missing(task: TaskSpec, source: SecretSource) -> list[str]:
    """Return a text for each declared variable or connection that ``source`` does not have."""
    if not declares_secrets(task):
        return []
    where = f"{task.source.file}:{task.source.line}: task '{task.task_id}'"
    return [
        f"{where} declares the {one.kind} '{one.name}', but "
        + source.why_missing(one.kind, one.name)
        for one in _declared(task, source)
        if one.value is None
    ]


def _not_set(kind: Kind, name: str) -> str:
    prefix = VARIABLE_PREFIX if kind == "variable" else CONNECTION_PREFIX
    variable = prefix + name.upper()
    return (
        f"{variable} is not set where leoflow runs. Set it, for example "
        f"{variable}='{_EXAMPLES[kind]}'."
    )


def _declared(task: TaskSpec, source: SecretSource) -> Iterator[_Declared]:
    for name in task.variables:
        variable = VARIABLE_PREFIX + name.upper()
        yield _Declared("variable", name, variable, source.variable(name))
    for name in task.connections:
        variable = CONNECTION_PREFIX + name.upper()
        yield _Declared("connection", name, variable, source.connection(name))
