"""What was said of a project and its tasks, checked, as plain values. Pure.

`option` and `settings` hold the models that check it. Those take long to load, so nothing here
may import them: a document that they passed is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leoflow_agent.spec import Resources, TriggerRule, Webhook

DEFAULT_PYTHON = "3.11"
# At most one of them: each names what the project's image stands on.
OWN_IMAGE_KEYS = ("base_image", "dockerfile", "image")
_SIMPLE = (
    "trigger_rule",
    "retries",
    "retry_delay_seconds",
    "retry_exponential_backoff",
    "max_retry_delay_seconds",
    "execution_timeout_seconds",
    "depends_on_past",
    "wait_for_downstream",
    "max_active_tis_per_dag",
    "max_active_tis_per_dagrun",
    "artifacts",
    "variables",
    "connections",
    "on_success_webhooks",
    "on_failure_webhooks",
)
Document = Mapping[str, Any]


@dataclass(frozen=True)
class SaidAmounts:
    """CPU in thousandths of a core, memory in bytes. ``written`` names what was said, even if
    it was said to be nothing."""

    cpu: int | None = None
    memory: int | None = None
    written: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SaidResources:
    """What a task asks for, and what it may not exceed."""

    requests: SaidAmounts = SaidAmounts()
    limits: SaidAmounts = SaidAmounts()


@dataclass(frozen=True)
class SaidTask:
    """The settings of a task. Durations are in seconds; ``written`` is as with `SaidAmounts`."""

    resources: SaidResources | None = None
    retries: int | None = None
    retry_delay_seconds: float | None = None
    execution_timeout_seconds: float | None = None
    trigger_rule: TriggerRule | None = None
    artifacts: bool | None = None
    variables: tuple[str, ...] | None = None
    connections: tuple[str, ...] | None = None
    retry_exponential_backoff: bool | None = None
    max_retry_delay_seconds: float | None = None
    depends_on_past: bool | None = None
    wait_for_downstream: bool | None = None
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    on_success_webhooks: tuple[str | Document, ...] | None = None
    on_failure_webhooks: tuple[str | Document, ...] | None = None
    written: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SaidBudget:
    """What the start of a task may cost; megabytes are of 10^6 bytes."""

    compressed_mb: float | None = None
    import_ms: float | None = None
    user_code_ms: float | None = None


@dataclass(frozen=True)
class SaidProject:
    """leoflow.yaml. What each field means is written at `settings.Settings`."""

    dag_id: str | None = None
    python_version: str = DEFAULT_PYTHON
    entry: str | None = None
    dependencies: tuple[str, ...] = ()
    dependencies_from: str | None = None
    system_packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    base_image: str | None = None
    dockerfile: str | None = None
    image: str | None = None
    staging: int | None = None
    allow_secret_files: tuple[str, ...] = ()
    budget: SaidBudget = SaidBudget()
    defaults: SaidTask = SaidTask()
    tasks: Mapping[str, SaidTask] = field(default_factory=dict)


def said_project(document: Document) -> SaidProject:
    """Return the settings in a document that `settings.Settings` passed."""
    values: dict[str, Any] = {key: _fixed(one) for key, one in document.items()}
    values["budget"] = SaidBudget(**document.get("budget", {}))
    values["defaults"] = said_task(document.get("defaults", {}))
    values["tasks"] = {name: said_task(one) for name, one in document.get("tasks", {}).items()}
    return SaidProject(**values)


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def said_task(document: Document) -> SaidTask:
    """Return the settings of a task in a document that `option.TaskOption` passed."""
    resources = document.get("resources")
    said = None if resources is None else said_resources(resources)
    values = {name: _fixed(one) for name, one in document.items()}
    return SaidTask(**{**values, "resources": said}, written=frozenset(document))


def said_resources(document: Document) -> SaidResources:
    """Return the amounts in a document that `option.ResourceOption` passed."""
    return SaidResources(
        _said_amounts(document.get("requests", {})), _said_amounts(document.get("limits", {}))
    )


def _said_amounts(document: Document) -> SaidAmounts:
    return SaidAmounts(**document, written=frozenset(document))


def lower_limit(resources: SaidResources) -> str | None:
    """Say which limit is below what is requested, or None."""
    limit, request = resources.limits, resources.requests
    if not (_is_lower(limit.cpu, request.cpu) or _is_lower(limit.memory, request.memory)):
        return None
    from leoflow_builder.quantity import format_cpu, format_memory

    return _lower("cpu", limit.cpu, request.cpu, format_cpu) or _lower(
        "memory", limit.memory, request.memory, format_memory
    )


def _is_lower(limit: int | None, request: int | None) -> bool:
    return limit is not None and request is not None and limit < request


def _lower(
    name: str, limit: int | None, request: int | None, show: Callable[[int], str]
) -> str | None:
    if limit is None or request is None or limit >= request:
        return None
    return (
        f"limits.{name} {show(limit)} is less than requests.{name} {show(request)}: raise the limit"
    )


def merge_options(*layers: SaidTask) -> SaidTask:
    """Return one option set of several, the later the stronger; unchecked as a whole.

    Resources merge figure by figure. A field that a layer sets to None on purpose is unset again.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update({name: getattr(layer, name) for name in _SIMPLE if name in layer.written})
    resources = [layer.resources for layer in layers if layer.resources is not None]
    if resources:
        merged["resources"] = SaidResources(
            requests=_merge_amounts([item.requests for item in resources]),
            limits=_merge_amounts([item.limits for item in resources]),
        )
    return SaidTask(**merged, written=frozenset(merged))


def _merge_amounts(amounts: list[SaidAmounts]) -> SaidAmounts:
    said: dict[str, Any] = {}
    for amount in amounts:
        said.update({name: getattr(amount, name) for name in amount.written})
    return _said_amounts(said)


def to_resources(said: SaidResources) -> Resources:
    """Return the same amounts in the terms of a DagSpec."""
    from leoflow_agent.spec import Quantities, Resources

    return Resources(
        requests=Quantities(said.requests.cpu, said.requests.memory),
        limits=Quantities(said.limits.cpu, said.limits.memory),
    )


def to_spec_fields(said: SaidTask) -> Mapping[str, Any]:
    """Return the fields of a TaskSpec that were said, resources apart."""
    values = {name: getattr(said, name) for name in _SIMPLE if name in said.written}
    found = {name: value for name, value in values.items() if value is not None}
    if found.get("wait_for_downstream"):
        # Airflow's rule: BaseOperator sets the one with the other.
        found["depends_on_past"] = True
    return with_webhooks(found)


def with_webhooks(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a spec, its webhooks under the names that they have there."""
    found = dict(values)
    for end in ("on_success", "on_failure"):
        if f"{end}_webhooks" in found:
            found[end] = tuple(_webhook(one) for one in found.pop(f"{end}_webhooks"))
    return found


def _webhook(said: str | Document) -> Webhook:
    from leoflow_agent.spec import Webhook

    return Webhook(url=said) if isinstance(said, str) else Webhook(connection=said["connection"])
