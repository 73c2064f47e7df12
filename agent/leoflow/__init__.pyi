from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, NamedTuple, ParamSpec, TypedDict, TypeVar, overload

_P = ParamSpec("_P")
_R = TypeVar("_R")
_TriggerRule = Literal[
    "all_success",
    "all_failed",
    "all_done",
    "one_success",
    "one_failed",
    "none_failed",
    "none_failed_min_one_success",
    "always",
]

class _Quantities(TypedDict, total=False):
    cpu: str | float
    memory: str | int

class _Resources(TypedDict, total=False):
    requests: _Quantities
    limits: _Quantities

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
    dag_id: str | None = None,
    /,
    *,
    description: str = "",
    tags: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
) -> Callable[[Callable[_P, object]], _Dag[_P]]: ...
@overload
def dag(
    *,
    dag_id: str,
    description: str = "",
    tags: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
) -> Callable[[Callable[_P, object]], _Dag[_P]]: ...

# A call gives Any: inside of a DAG function it is a reference, which goes wherever the task's
# result goes and also stands beside >> and <<; anywhere else it is the result itself.
class _Task(Generic[_P, _R]):
    function: Callable[_P, _R]
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Any: ...
    def override(
        self,
        *,
        task_id: str = ...,
        retries: int = ...,
        retry_delay_seconds: float = ...,
        execution_timeout_seconds: float | None = ...,
        trigger_rule: _TriggerRule = ...,
        resources: _Resources = ...,
        artifacts: bool = ...,
        variables: Sequence[str] = ...,
        connections: Sequence[str] = ...,
    ) -> _Task[_P, _R]: ...

class _TaskDecorator:
    @overload
    def __call__(self, function: Callable[_P, _R], /) -> _Task[_P, _R]: ...
    @overload
    def __call__(
        self,
        *,
        task_id: str = ...,
        retries: int = ...,
        retry_delay_seconds: float = ...,
        execution_timeout_seconds: float | None = ...,
        trigger_rule: _TriggerRule = ...,
        resources: _Resources = ...,
        artifacts: bool = ...,
        variables: Sequence[str] = ...,
        connections: Sequence[str] = ...,
    ) -> Callable[[Callable[_P, _R]], _Task[_P, _R]]: ...
    @overload
    def bash(self, function: Callable[_P, str], /) -> _Task[_P, str]: ...
    @overload
    def bash(
        self,
        *,
        task_id: str = ...,
        retries: int = ...,
        retry_delay_seconds: float = ...,
        execution_timeout_seconds: float | None = ...,
        trigger_rule: _TriggerRule = ...,
        resources: _Resources = ...,
        artifacts: bool = ...,
        variables: Sequence[str] = ...,
        connections: Sequence[str] = ...,
    ) -> Callable[[Callable[_P, str]], _Task[_P, str]]: ...
    def http_api(
        self,
        *,
        task_id: str,
        url: Any,
        method: str = "GET",
        headers: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout_seconds: float = 30,
        success_codes: Sequence[int] = (200, 201, 202, 203, 204, 206),
        execution_mode: Literal["inline", "pod"] = "inline",
        connect_timeout_seconds: float | None = None,
        request_retries: int = 3,
        retry_codes: Sequence[int] = (),
        poll: _Poll | None = None,
        pagination: _Pagination | None = None,
        save_as: str | None = None,
        retries: int = ...,
        retry_delay_seconds: float = ...,
        execution_timeout_seconds: float | None = ...,
        trigger_rule: _TriggerRule = ...,
        resources: _Resources = ...,
        artifacts: bool = ...,
        variables: Sequence[str] = ...,
        connections: Sequence[str] = ...,
    ) -> Any: ...

task: _TaskDecorator
