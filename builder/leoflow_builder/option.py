"""What can be said of any task, wherever it is written: @task, dag.yaml or leoflow.yaml.

Later layers win field by field: `defaults` < the task itself < `tasks.<task_id>` in leoflow.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from leoflow_agent.spec import Quantities, Resources, TriggerRule
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from leoflow_builder.quantity import format_cpu, format_memory, parse_cpu_millis, parse_memory_bytes

_SIMPLE = (
    "trigger_rule",
    "retries",
    "retry_delay_seconds",
    "execution_timeout_seconds",
    "artifacts",
)


def _quantity_schema(examples: list[object]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "examples": examples})


CpuMillis = Annotated[int, BeforeValidator(parse_cpu_millis), _quantity_schema(["250m", 0.5, 2])]
MemoryBytes = Annotated[
    int, BeforeValidator(parse_memory_bytes), _quantity_schema(["256Mi", "1G", 268435456])
]


class Strict(BaseModel):
    """A model of something people write: no unknown key, no value converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class AmountOption(Strict):
    """CPU and memory as Kubernetes writes them."""

    cpu: CpuMillis | None = Field(default=None, description="Cores, or thousandths of a core: 250m")
    memory: MemoryBytes | None = Field(default=None, description="Bytes, or with a unit: 256Mi")


class ResourceOption(Strict):
    """What a task asks for, and what it may not exceed."""

    requests: AmountOption = AmountOption()
    limits: AmountOption = AmountOption()

    @model_validator(mode="after")
    def _limits_cover_requests(self) -> ResourceOption:
        found = lower_limit(self)
        if found:
            raise ValueError(found)
        return self


class TaskOption(Strict):
    """The settings of a task. Durations are in seconds; None is "not said"."""

    resources: ResourceOption | None = None
    retries: Annotated[int, Field(ge=0)] | None = None
    retry_delay_seconds: Annotated[float, Field(ge=0)] | None = None
    execution_timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    trigger_rule: TriggerRule | None = None
    artifacts: bool | None = Field(
        default=None, description="The task leaves files in LEOFLOW_ARTIFACTS"
    )


def lower_limit(resources: ResourceOption) -> str | None:
    """Say which limit is below what is requested, or None."""
    limit, request = resources.limits, resources.requests
    return _lower("cpu", limit.cpu, request.cpu, format_cpu) or _lower(
        "memory", limit.memory, request.memory, format_memory
    )


def _lower(
    name: str, limit: int | None, request: int | None, show: Callable[[int], str]
) -> str | None:
    if limit is None or request is None or limit >= request:
        return None
    return (
        f"limits.{name} {show(limit)} is less than requests.{name} {show(request)}: raise the limit"
    )


def merge_options(*layers: TaskOption) -> TaskOption:
    """Return one option set of several, the later the stronger; unchecked as a whole.

    Resources merge figure by figure. A field that a layer sets to None on purpose is unset again.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(
            {name: getattr(layer, name) for name in _SIMPLE if name in layer.model_fields_set}
        )
    resources = [layer.resources for layer in layers if layer.resources is not None]
    if resources:
        merged["resources"] = ResourceOption.model_construct(
            requests=_merge_amounts([item.requests for item in resources]),
            limits=_merge_amounts([item.limits for item in resources]),
        )
    return TaskOption.model_construct(**merged)


def _merge_amounts(amounts: list[AmountOption]) -> AmountOption:
    said: dict[str, Any] = {}
    for amount in amounts:
        said.update({name: getattr(amount, name) for name in amount.model_fields_set})
    return AmountOption.model_construct(**said)


def to_resources(option: ResourceOption) -> Resources:
    """Return the same amounts in the terms of a DagSpec."""
    return Resources(
        requests=Quantities(option.requests.cpu, option.requests.memory),
        limits=Quantities(option.limits.cpu, option.limits.memory),
    )


def to_spec_fields(option: TaskOption) -> Mapping[str, Any]:
    """Return the fields of a TaskSpec that ``option`` says, resources apart."""
    return {
        name: getattr(option, name)
        for name in _SIMPLE
        if name in option.model_fields_set and getattr(option, name) is not None
    }
