"""What can be said of any task, wherever it is written: @task, dag.yaml or leoflow.yaml.

Pure models: what they pass is used as a value of ``said``, so that they need not be loaded again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from leoflow_agent.podname import bad_dns_name, bad_resource
from leoflow_agent.spec import AccessMode, TriggerRule
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from leoflow_builder.complaint import UNWRITTEN
from leoflow_builder.identifier import SECRET_PATTERN
from leoflow_builder.podfield import KubernetesOption
from leoflow_builder.quantity import parse_cpu_millis, parse_memory_bytes
from leoflow_builder.said import lower_limit, said_resources


def _quantity_schema(examples: list[object]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "examples": examples})


CpuMillis = Annotated[int, BeforeValidator(parse_cpu_millis), _quantity_schema(["250m", 0.5, 2])]
MemoryBytes = Annotated[
    int, BeforeValidator(parse_memory_bytes), _quantity_schema(["256Mi", "1G", 268435456])
]


def _check_names(names: list[str]) -> list[str]:
    """Refuse what cannot be told apart in the names of environment variables."""
    seen: dict[str, str] = {}
    for name in names:
        if not re.fullmatch(SECRET_PATTERN, str(name), re.ASCII):
            raise ValueError(
                f"'{name}' becomes the name of an environment variable: write letters, digits and _"
            )
        if name.upper() in seen:
            raise ValueError(f"'{seen[name.upper()]}' and '{name}' are the same: keep one of them")
        seen[name.upper()] = name
    return names


def _as_staging(value: Any) -> Any:
    return value if value is None or isinstance(value, dict) else {"size": value}


def _check_storage_class(name: str) -> str:
    problem = bad_dns_name(name)
    if problem is not None:
        raise ValueError(problem)
    return name


SecretNames = Annotated[list[str], AfterValidator(_check_names)]


def _check_webhook(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"(?i)https?://[^/\s]\S*", value):
        return value
    if isinstance(value, dict) and set(value) == {"connection"}:
        _check_names([value["connection"]])
        return value
    raise ValueError(f"'{value}' has to be a URL with http:// or https://, or {{connection: NAME}}")


AtLeastOne = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """A model of something people write: no unknown key, no value converted in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _check_extended_name(name: str) -> str:
    problem = bad_resource(name)
    if problem is not None:
        raise ValueError(problem)
    return name


class AmountOption(Strict):
    """CPU, memory and disk as Kubernetes writes them, and what nodes announce by name."""

    model_config = ConfigDict(
        json_schema_extra={
            "patternProperties": {"/": {"type": "integer", "minimum": 1}},
        }
    )

    cpu: CpuMillis | None = Field(default=None, description="Cores, or thousandths of a core: 250m")
    memory: MemoryBytes | None = Field(default=None, description="Bytes, or with a unit: 256Mi")
    ephemeral_storage: MemoryBytes | None = Field(
        default=None, description="Scratch space on the node's disk, /tmp among it: 2Gi"
    )
    extended: SkipJsonSchema[
        Mapping[Annotated[str, AfterValidator(_check_extended_name)], AtLeastOne]
    ] = Field(default_factory=dict, validation_alias=UNWRITTEN)

    @model_validator(mode="before")
    @classmethod
    def _gather_extended(cls, value: Any) -> Any:
        """Take what is written beside cpu, such as nvidia.com/gpu, for what is in ``extended``."""
        if not isinstance(value, dict):
            return value
        named = {name: one for name, one in value.items() if "/" in str(name)}
        rest = {name: one for name, one in value.items() if name not in named}
        return {**rest, UNWRITTEN: named} if named else rest


class ResourceOption(Strict):
    """What a task asks for, and what it may not exceed."""

    requests: AmountOption = AmountOption()
    limits: AmountOption = AmountOption()

    @model_validator(mode="after")
    def _limits_cover_requests(self) -> ResourceOption:
        found = lower_limit(said_resources(self.model_dump(exclude_unset=True)))
        if found:
            raise ValueError(found)
        return self


class StagingOption(Strict):
    """A folder that the tasks of a run share. All but its size is for Kubernetes."""

    size: MemoryBytes = Field(description="1Gi")
    storage_class: Annotated[str, AfterValidator(_check_storage_class)] | None = Field(
        default=None, description="The StorageClass of its claim; the cluster's default if not said"
    )
    access_mode: AccessMode | None = Field(
        default=None,
        description="ReadWriteOnce where the class has no other: all Pods of a run are on one node",
    )


Staging = Annotated[
    StagingOption,
    BeforeValidator(_as_staging, json_schema_input_type=StagingOption | str | int | float),
]
STAGING = "A folder that the tasks of a run share: its size, as 1Gi, or {size, storage_class}"
_CONNECTION_SCHEMA = {
    "type": "object",
    "required": ["connection"],
    "additionalProperties": False,
    "properties": {"connection": {"type": "string"}},
}
Webhooks = list[
    Annotated[
        Any,
        AfterValidator(_check_webhook),
        WithJsonSchema({"anyOf": [{"type": "string", "format": "uri"}, _CONNECTION_SCHEMA]}),
    ]
]
SUCCESS_HOOKS = "URLs that get a POST on success, or {connection: NAME}"
FAILURE_HOOKS = "URLs that get a POST on failure, or {connection: NAME}"


class TaskOption(Strict):
    """The settings of a task. Durations are in seconds; None is "not said"."""

    resources: ResourceOption | None = None
    retries: Annotated[int, Field(ge=0)] | None = None
    retry_delay_seconds: Annotated[float, Field(ge=0)] | None = None
    retry_exponential_backoff: bool | None = Field(
        default=None, description="Each pause before a retry is twice as long as the one before"
    )
    max_retry_delay_seconds: Annotated[float, Field(gt=0)] | None = None
    execution_timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    trigger_rule: TriggerRule | None = None
    depends_on_past: bool | None = Field(
        default=None, description="Runs only if the task succeeded or was skipped in the run before"
    )
    wait_for_downstream: bool | None = Field(
        default=None, description="depends_on_past, for the tasks directly downstream as well"
    )
    max_active_tis_per_dag: AtLeastOne | None = None
    max_active_tis_per_dagrun: AtLeastOne | None = None
    artifacts: bool | None = Field(
        default=None, description="The task leaves files in LEOFLOW_ARTIFACTS"
    )
    variables: SecretNames | None = Field(
        default=None, description="Airflow variables that the task is given, as AIRFLOW_VAR_NAME"
    )
    connections: SecretNames | None = Field(
        default=None, description="Airflow connections that the task is given, as AIRFLOW_CONN_NAME"
    )
    on_success_webhooks: Webhooks | None = Field(default=None, description=SUCCESS_HOOKS)
    on_failure_webhooks: Webhooks | None = Field(default=None, description=FAILURE_HOOKS)
    kubernetes: KubernetesOption | None = Field(
        default=None, description="What the task's Pod is to have, on Kubernetes"
    )
