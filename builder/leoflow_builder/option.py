"""What can be said of any task, wherever it is written: @task, dag.yaml or leoflow.yaml.

Pure models: what they pass is used as a value of ``said``, so that they need not be loaded again.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from leoflow_agent.spec import TriggerRule
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from leoflow_builder.identifier import SECRET_PATTERN
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


SecretNames = Annotated[list[str], AfterValidator(_check_names)]


def _check_webhook(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"(?i)https?://[^/\s]\S*", value):
        return value
    if isinstance(value, dict) and set(value) == {"connection"}:
        _check_names([value["connection"]])
        return value
    raise ValueError(f"'{value}' has to be a URL with http:// or https://, or {{connection: NAME}}")


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
        found = lower_limit(said_resources(self.model_dump(exclude_unset=True)))
        if found:
            raise ValueError(found)
        return self


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
AtLeastOne = Annotated[int, Field(ge=1)]


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
