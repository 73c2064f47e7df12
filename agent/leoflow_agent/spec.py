"""What a DAG is once it is built: the contract between the builder and the control plane.

Pure data, standard library only. Nothing here reads files or checks what a user wrote; that
happens at the edges, where pydantic validates JSON against these very types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from leoflow_agent.action import Action, Argument, Json
from leoflow_agent.podoption import PodOptions

SCHEMA_VERSION = 1

TriggerRule = Literal[
    "all_success",
    "all_failed",
    "all_done",
    "all_done_min_one_success",
    "all_done_setup_success",
    "all_skipped",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "always",
]

AccessMode = Literal["ReadWriteMany", "ReadWriteOnce"]

_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class Quantities:
    """Amounts of CPU (thousandths of a core), memory and scratch space on the node's disk (bytes);
    None where nothing is said. ``extended`` are whole numbers of what a cluster's nodes announce
    by name, such as nvidia.com/gpu."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None
    ephemeral_storage_bytes: int | None = None
    # A mapping cannot be hashed; quantities that are equal still have the same hash.
    extended: Mapping[str, int] = field(default_factory=dict, hash=False)
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class Resources:
    """What a task asks for (``requests``, both set) and may not exceed (``limits``)."""

    requests: Quantities
    limits: Quantities = Quantities()
    __pydantic_config__ = _STRICT

    @property
    def memory_limit_bytes(self) -> int | None:
        """The memory at which the task is killed: its limit, else its request."""
        return self.limits.memory_bytes or self.requests.memory_bytes


@dataclass(frozen=True)
class Expansion:
    """Run the task once for each of the values that its upstream tasks leave (dynamic mapping).

    ``kwargs`` are lists or mappings, expanded against each other: one instance for each
    combination, the last argument varying fastest; of a mapping each item is a pair.
    ``listed`` is a list of mappings instead, one instance for each. Exactly one is given. What an
    instance gets is a keyword argument of the function, or of a bash command without a function
    a variable of its environment. ``order`` has the names in ``kwargs`` as they were written, which
    JSON does not keep; ``kwargs`` is put into it.
    """

    kwargs: Mapping[str, Argument] = field(default_factory=dict)
    listed: Argument | None = None
    order: tuple[str, ...] = ()
    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if not self.order:
            return
        if sorted(self.order) != sorted(self.kwargs):
            raise ValueError(f"order {list(self.order)} does not name {list(self.kwargs)}")
        ordered = {name: self.kwargs[name] for name in self.order}
        object.__setattr__(self, "kwargs", ordered)

    def arguments(self) -> tuple[Argument, ...]:
        """Return what is expanded over, in the order in which it was written."""
        return (*self.kwargs.values(), *([] if self.listed is None else [self.listed]))


@dataclass(frozen=True)
class Teardown:
    """Marks a task that cleans up what its ``setups`` have made, however the tasks between end."""

    setups: tuple[str, ...] = ()
    on_failure_fail_dagrun: bool = False
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class Webhook:
    """A URL that is told of an end with a POST. Exactly one of the two is given; ``connection``
    names an Airflow connection whose URI is the URL, so that no secret is in dag.json."""

    url: str | None = None
    connection: str | None = None
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class Schedule:
    """When runs are made. ``cron`` is five fields or a preset that stands for such; a cron's days
    and hours are those of the DAG's ``timezone``. ``continuous``: as soon as the last one ended."""

    kind: Literal["cron", "interval", "once", "continuous"]
    cron: str | None = None
    interval_seconds: float | None = None
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class TaskGroup:
    """A group of tasks: ``task_ids`` are directly in it, those of its groups are not.

    Ids in it begin with ``group_id`` and a dot, unless the DAG says that they do not.
    """

    group_id: str
    tooltip: str = ""
    parent_group_id: str | None = None
    task_ids: tuple[str, ...] = ()
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class Source:
    """Where in the project a task is written."""

    file: str
    line: int
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class TaskSpec:
    """One task as written: what it does, what it waits for, and what it needs.

    ``variables`` and ``connections`` are the names of those of Airflow's that it is given.
    ``branch``: its return value names the tasks downstream that go on ("branch"), or none does if
    it is false ("short_circuit", which skips all that is downstream, or with
    ``respect_trigger_rules`` only what is directly so). ``is_setup`` and ``teardown`` as Airflow's.
    """

    task_id: str
    action: Action
    resources: Resources
    source: Source
    upstream_task_ids: tuple[str, ...] = ()
    trigger_rule: TriggerRule = "all_success"
    retries: int = 0
    retry_delay_seconds: float = 300.0
    execution_timeout_seconds: float | None = None
    artifacts: bool = False
    variables: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    retry_exponential_backoff: bool = False
    max_retry_delay_seconds: float | None = None
    depends_on_past: bool = False
    wait_for_downstream: bool = False
    max_active_tis_per_dag: int | None = None
    max_active_tis_per_dagrun: int | None = None
    expansion: Expansion | None = None
    branch: Literal["branch", "short_circuit"] | None = None
    respect_trigger_rules: bool = False
    is_setup: bool = False
    teardown: Teardown | None = None
    kubernetes: PodOptions | None = None
    on_success: tuple[Webhook, ...] = ()
    on_failure: tuple[Webhook, ...] = ()
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class DagSpec:
    """A whole DAG. ``tasks`` are in topological order and their task_ids are unique.

    ``start_date`` and ``end_date`` are ISO 8601 with an offset, ``timezone`` is an IANA name.
    ``staging_bytes``: its runs have a folder that their tasks share; on Kubernetes a claim of
    ``staging_storage_class``, None: the cluster's default. One with ReadWriteOnce is on one node
    at a time, and so are the Pods of a run. ``is_paused_upon_creation`` None: as the control plane
    is set.
    """

    dag_id: str
    python_version: str
    tasks: tuple[TaskSpec, ...]
    description: str = ""
    tags: tuple[str, ...] = ()
    params: Mapping[str, Json] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    schedule: Schedule | None = None
    timezone: str = "UTC"
    start_date: str | None = None
    end_date: str | None = None
    catchup: bool = False
    max_active_runs: int = 16
    max_active_tasks: int = 16
    dagrun_timeout_seconds: float | None = None
    is_paused_upon_creation: bool | None = None
    task_groups: tuple[TaskGroup, ...] = ()
    staging_bytes: int | None = None
    staging_storage_class: str | None = None
    staging_access_mode: AccessMode = "ReadWriteMany"
    on_success: tuple[Webhook, ...] = ()
    on_failure: tuple[Webhook, ...] = ()
    schema_version: Literal[1] = 1
    __pydantic_config__ = _STRICT

    def task(self, task_id: str) -> TaskSpec:
        """Return the task called ``task_id``; KeyError if the DAG has none."""
        for task in self.tasks:
            if task.task_id == task_id:
                return task
        raise KeyError(task_id)


@dataclass(frozen=True)
class ImageRef:
    """A built image. ``digest`` is the manifest's, or None where the engine has none to tell."""

    reference: str
    digest: str | None
    platform: str
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class BuiltDag:
    """The dag.json beside a project: the DAG and the image that it was built into."""

    spec: DagSpec
    image: ImageRef
    schema_version: Literal[1] = 1
    __pydantic_config__ = _STRICT
