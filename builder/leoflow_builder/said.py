"""What was said of a project and its tasks, checked, as plain values. Pure.

`option` and `settings` hold the models that check it. Those take long to load, so nothing here
may import them: a document that they passed is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leoflow_agent.spec import Quantities, Resources, TriggerRule, Webhook

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
# Options of Pods whose entries are merged one by one.
_BY_NAME = ("node_selector", "labels", "annotations")
Document = Mapping[str, Any]


@dataclass(frozen=True)
class SaidAmounts:
    """CPU in thousandths of a core, memory and disk in bytes, the rest in pieces. ``written``
    names what was said, even if it was said to be nothing."""

    cpu: int | None = None
    memory: int | None = None
    ephemeral_storage: int | None = None
    extended: Mapping[str, int] = field(default_factory=dict)
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
    kubernetes: Document | None = None
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
    staging: Document | None = None
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
    for name in ("cpu", "memory", "ephemeral_storage"):
        low, high = getattr(limit, name), getattr(request, name)
        if low is not None and high is not None and low < high:
            return _lower(name, low, high)
    for name in limit.extended.keys() & request.extended.keys():
        low, high = limit.extended[name], request.extended[name]
        if low != high:
            return (
                f"limits.{name} {low} is not requests.{name} {high}: Kubernetes wants them to be "
                "the same; remove the limit"
            )
    return None


def _lower(name: str, limit: int, request: int) -> str:
    from leoflow_builder.quantity import format_cpu, format_memory

    show = format_cpu if name == "cpu" else format_memory
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
    pods = [layer.kubernetes for layer in layers if layer.kubernetes is not None]
    if pods:
        merged["kubernetes"] = _merge_pods(pods)
    return SaidTask(**merged, written=frozenset(merged))


def _merge_amounts(amounts: list[SaidAmounts]) -> SaidAmounts:
    said: dict[str, Any] = {}
    for amount in amounts:
        named = {**said.get("extended", {}), **amount.extended}
        said.update({name: getattr(amount, name) for name in amount.written})
        said.update({"extended": named} if named else {})
    return _said_amounts(said)


def _merge_pods(pods: list[Document]) -> Document:
    """Merge what was said of Pods: by name where an option has names, else whole."""
    merged: dict[str, Any] = {}
    for pod in pods:
        for name, value in pod.items():
            if name in _BY_NAME and value is not None:
                merged[name] = {**(merged.get(name) or {}), **value}
            else:
                merged[name] = value
    return merged


def to_resources(said: SaidResources) -> Resources:
    """Return the same amounts in the terms of a DagSpec."""
    from leoflow_agent.spec import Quantities, Resources

    return Resources(
        requests=_to_quantities(Quantities, said.requests),
        limits=_to_quantities(Quantities, said.limits),
    )


def _to_quantities(make: type[Quantities], said: SaidAmounts) -> Quantities:
    return make(said.cpu, said.memory, said.ephemeral_storage, dict(said.extended))


def to_spec_fields(said: SaidTask) -> Mapping[str, Any]:
    """Return the fields of a TaskSpec that were said, resources apart."""
    values = {name: getattr(said, name) for name in _SIMPLE if name in said.written}
    found = {name: value for name, value in values.items() if value is not None}
    if found.get("wait_for_downstream"):
        # Airflow's rule: BaseOperator sets the one with the other.
        found["depends_on_past"] = True
    options = {name: _fixed(one) for name, one in (said.kubernetes or {}).items()}
    options = {name: one for name, one in options.items() if one is not None}
    if options:
        from leoflow_agent.podoption import PodOptions

        found["kubernetes"] = PodOptions(**options)
    return with_webhooks(found)


def staging_fields(said: Document | None) -> dict[str, Any]:
    """Return the fields of a DagSpec about the folder that the tasks of a run share."""
    names = {"size": "bytes", "storage_class": "storage_class", "access_mode": "access_mode"}
    told = (said or {}).items()
    return {f"staging_{names[name]}": one for name, one in told if one is not None}


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
