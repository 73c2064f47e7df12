from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import (
    Any,
    Generic,
    Literal,
    NamedTuple,
    ParamSpec,
    Required,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

_P = ParamSpec("_P")
_R = TypeVar("_R")
_TriggerRule = Literal[
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

class _Quantities(TypedDict, total=False):
    cpu: str | float
    memory: str | int
    ephemeral_storage: str | int

# With what nodes announce by name, such as nvidia.com/gpu.
_Amounts = _Quantities | Mapping[str, str | float]

class _Resources(TypedDict, total=False):
    requests: _Amounts
    limits: _Amounts

_Objects = Sequence[Mapping[str, Any]]

class _Kubernetes(TypedDict, total=False):
    node_selector: Mapping[str, str]
    tolerations: _Objects
    affinity: Mapping[str, Any]
    topology_spread_constraints: _Objects
    priority_class_name: str
    runtime_class_name: str
    scheduler_name: str
    service_account_name: str
    automount_service_account_token: bool
    image_pull_secrets: Sequence[str]
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"]
    env: _Objects
    env_from: _Objects
    volumes: _Objects
    volume_mounts: _Objects
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    security_context: Mapping[str, Any]
    pod_security_context: Mapping[str, Any]
    pod_override: Mapping[str, Any]

class _Staging(TypedDict, total=False):
    size: Required[str | int]
    storage_class: str
    access_mode: Literal["ReadWriteMany", "ReadWriteOnce"]

class _WebhookConnection(TypedDict):
    connection: str

_Webhooks = Sequence[str | _WebhookConnection]

class _DefaultArgs(TypedDict, total=False):
    retries: int
    retry_delay_seconds: float
    retry_exponential_backoff: bool
    max_retry_delay_seconds: float
    execution_timeout_seconds: float | None
    trigger_rule: _TriggerRule
    depends_on_past: bool
    wait_for_downstream: bool
    max_active_tis_per_dag: int
    max_active_tis_per_dagrun: int
    resources: _Resources
    artifacts: bool
    variables: Sequence[str]
    connections: Sequence[str]
    on_success_webhooks: _Webhooks
    on_failure_webhooks: _Webhooks
    kubernetes: _Kubernetes

class _TaskOptions(_DefaultArgs, total=False):
    task_id: str

class _ShortCircuitOptions(_TaskOptions, total=False):
    ignore_downstream_trigger_rules: bool

class _TeardownOptions(_TaskOptions, total=False):
    on_failure_fail_dagrun: bool

class _DagOptions(TypedDict, total=False):
    description: str
    tags: Sequence[str]
    params: Mapping[str, Any] | None
    schedule: str | timedelta | None
    start_date: datetime | str | None
    end_date: datetime | str | None
    timezone: str
    catchup: bool
    max_active_runs: int
    max_active_tasks: int
    dagrun_timeout_seconds: float
    is_paused_upon_creation: bool
    default_args: _DefaultArgs
    staging: str | int | _Staging
    on_success_webhooks: _Webhooks
    on_failure_webhooks: _Webhooks

class _GroupOptions(TypedDict, total=False):
    tooltip: str
    prefix_group_id: bool

class _GroupFunctionOptions(_GroupOptions, total=False):
    group_id: str

class _HttpOptions(_DefaultArgs, total=False):
    method: str
    headers: Mapping[str, Any] | None
    query: Mapping[str, Any] | None
    body: Any
    timeout_seconds: float
    success_codes: Sequence[int]
    execution_mode: Literal["inline", "pod"]
    connect_timeout_seconds: float | None
    request_retries: int
    retry_codes: Sequence[int]
    poll: _Poll | None
    pagination: _Pagination | None
    save_as: str | None

class _Condition(TypedDict, total=False):
    status: int | Sequence[int]
    path: str
    equals: str | float | bool | None
    one_of: Sequence[str | float | bool | None]
    none_of: Sequence[str | float | bool | None]

class _PollOptional(TypedDict, total=False):
    interval_seconds: float
    fail_when: _Condition

class _Poll(_PollOptional):
    until: _Condition

class _PaginationOptional(TypedDict, total=False):
    items: str
    path: str
    query: str
    first_page: int
    max_pages: int
    allowed_hosts: Sequence[str]

class _Pagination(_PaginationOptional):
    next: Literal["url", "cursor", "link_header", "page_number"]

class DagError(Exception):
    message: str
    file: str
    line: int

class SkipTask(Exception): ...
class FailTask(Exception): ...
class TaskTerminated(SystemExit): ...

class DagRun(NamedTuple):
    dag_id: str
    run_id: str
    logical_date: datetime
    conf: dict[str, Any]
    run_type: str
    data_interval_start: datetime
    data_interval_end: datetime

class TaskInstance:
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    def xcom_push(self, key: str, value: Any) -> None: ...
    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        key: str = "return_value",
        map_indexes: int | Iterable[int] | None = None,
        default: Any = None,
    ) -> Any: ...

def get_current_context() -> dict[str, Any]: ...

class _Dag(Generic[_P]):
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> object: ...

@overload
def dag(function: Callable[_P, object], /) -> _Dag[_P]: ...
@overload
def dag(
    dag_id: str | None = None, /, **options: Unpack[_DagOptions]
) -> Callable[[Callable[_P, object]], _Dag[_P]]: ...
@overload
def dag(
    *, dag_id: str, **options: Unpack[_DagOptions]
) -> Callable[[Callable[_P, object]], _Dag[_P]]: ...

class _Partial:
    def expand(self, **arguments: Any) -> Any: ...
    def expand_kwargs(self, listed: Any, /) -> Any: ...

# A call gives Any: inside of a DAG function it is a reference, which goes wherever the task's
# result goes and also stands beside >> and <<; anywhere else it is the result itself.
class _Task(Generic[_P, _R]):
    function: Callable[_P, _R]
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Any: ...
    def partial(self, **arguments: Any) -> _Partial: ...
    def expand(self, **arguments: Any) -> Any: ...
    def expand_kwargs(self, listed: Any, /) -> Any: ...
    def override(self, **options: Unpack[_TaskOptions]) -> _Task[_P, _R]: ...

class _TaskDecorator:
    @overload
    def __call__(self, function: Callable[_P, _R], /) -> _Task[_P, _R]: ...
    @overload
    def __call__(
        self, **options: Unpack[_TaskOptions]
    ) -> Callable[[Callable[_P, _R]], _Task[_P, _R]]: ...
    @overload
    def bash(self, function: Callable[_P, str], /) -> _Task[_P, str]: ...
    @overload
    def bash(
        self, **options: Unpack[_TaskOptions]
    ) -> Callable[[Callable[_P, str]], _Task[_P, str]]: ...
    @overload
    def branch(self, function: Callable[_P, _R], /) -> _Task[_P, _R]: ...
    @overload
    def branch(
        self, **options: Unpack[_TaskOptions]
    ) -> Callable[[Callable[_P, _R]], _Task[_P, _R]]: ...
    @overload
    def short_circuit(self, function: Callable[_P, _R], /) -> _Task[_P, _R]: ...
    @overload
    def short_circuit(
        self, **options: Unpack[_ShortCircuitOptions]
    ) -> Callable[[Callable[_P, _R]], _Task[_P, _R]]: ...
    @overload
    def setup(self, function: Callable[_P, _R] | _Task[_P, _R], /) -> _Task[_P, _R]: ...
    @overload
    def setup(
        self, **options: Unpack[_TaskOptions]
    ) -> Callable[[Callable[_P, _R]], _Task[_P, _R]]: ...
    @overload
    def teardown(self, function: Callable[_P, _R] | _Task[_P, _R], /) -> _Task[_P, _R]: ...
    @overload
    def teardown(
        self, **options: Unpack[_TeardownOptions]
    ) -> Callable[[Callable[_P, _R] | _Task[_P, _R]], _Task[_P, _R]]: ...
    def http_api(self, *, task_id: str, url: Any, **fields: Unpack[_HttpOptions]) -> Any: ...

task: _TaskDecorator
setup = task.setup
teardown = task.teardown

class TaskGroup:
    def __init__(self, group_id: str, **options: Unpack[_GroupOptions]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def __rshift__(self, other: Any) -> Any: ...
    def __lshift__(self, other: Any) -> Any: ...
    def __rrshift__(self, other: Any) -> Self: ...
    def __rlshift__(self, other: Any) -> Self: ...

class _GroupFunction(Generic[_P]):
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Any: ...
    def override(self, **options: Unpack[_GroupFunctionOptions]) -> _GroupFunction[_P]: ...

@overload
def task_group(function: Callable[_P, object], /) -> _GroupFunction[_P]: ...
@overload
def task_group(
    group_id: str | None = None, /, **options: Unpack[_GroupOptions]
) -> Callable[[Callable[_P, object]], _GroupFunction[_P]]: ...
@overload
def task_group(
    *, group_id: str, **options: Unpack[_GroupOptions]
) -> Callable[[Callable[_P, object]], _GroupFunction[_P]]: ...

# For the package's own modules.
TASK_OPTIONS: tuple[str, ...]

class Task:
    __name__: str
    function: Callable[..., Any]
    kind: str
    options: dict[str, tuple[Any, tuple[str, int]]]
    marks: dict[str, Any]
    def __init__(
        self,
        function: Callable[..., Any],
        kind: str,
        options: dict[str, tuple[Any, tuple[str, int]]],
        marks: dict[str, Any] = ...,
    ) -> None: ...
    def override(self, **options: Any) -> Task: ...

def decorate(
    kind: str, function: Any, options: dict[str, Any], known: tuple[str, ...] = ...
) -> Any: ...
def placed(
    options: dict[str, Any], known: tuple[str, ...], owner: str
) -> dict[str, tuple[Any, tuple[str, int]]]: ...
def copied(value: Any) -> Any: ...
