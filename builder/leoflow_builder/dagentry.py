"""What may be said of a DAG itself, whichever way it is written. A model, and nothing else.

What two of them mean together is in ``saiddag``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from leoflow_builder.option import (
    FAILURE_HOOKS,
    STAGING,
    SUCCESS_HOOKS,
    AtLeastOne,
    Staging,
    Strict,
    TaskOption,
    Webhooks,
)
from leoflow_builder.schedule import check_date, check_schedule, check_timezone
from leoflow_builder.settings import Identifier

_SCHEDULE_SCHEMA = {
    "anyOf": [
        {"type": "string", "examples": ["30 6 * * 1-5", "@daily", "@once", "@continuous"]},
        {
            "type": "object",
            "required": ["interval_seconds"],
            "additionalProperties": False,
            "properties": {"interval_seconds": {"type": "number", "exclusiveMinimum": 0}},
        },
        {"type": "null"},
    ]
}
ScheduleField = Annotated[Any, AfterValidator(check_schedule), WithJsonSchema(_SCHEDULE_SCHEMA)]
Date = Annotated[
    str, AfterValidator(check_date), Field(description="ISO 8601; without an offset in `timezone`")
]


class DagEntry(Strict):
    """What may be said of the DAG itself, in dag.yaml or with @dag."""

    dag_id: Identifier | None = None
    description: str = ""
    tags: list[str] = Field(default_factory=list)
    params: Mapping[str, Any] | None = None
    schedule: ScheduleField = None
    start_date: Date | None = None
    end_date: Date | None = None
    timezone: Annotated[str, AfterValidator(check_timezone)] | None = Field(
        default=None, description="An IANA name, as Europe/Vienna; UTC where not given"
    )
    catchup: bool | None = Field(
        default=None, description="Make the runs that are due since start_date as well"
    )
    max_active_runs: AtLeastOne | None = None
    max_active_tasks: AtLeastOne | None = None
    dagrun_timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    is_paused_upon_creation: bool | None = None
    default_args: TaskOption | None = Field(default=None, description="Options for all tasks")
    staging: Staging | None = Field(default=None, description=STAGING)
    on_success_webhooks: Webhooks | None = Field(default=None, description=SUCCESS_HOOKS)
    on_failure_webhooks: Webhooks | None = Field(default=None, description=FAILURE_HOOKS)
