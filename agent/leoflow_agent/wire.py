"""What the agent and the control plane say to each other: the types of their JSON documents.

The agent sees these types only while it is checked, never while it runs: importing ``typing``
would cost more than sending a request. Field names are the protocol; a change of meaning is a
new ``PROTOCOL``.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

PROTOCOL = 1
# Where the agent leaves a verdict that nobody took, as the JSON of a `LeftVerdict`.
VERDICT_VARIABLE = "LEOFLOW_VERDICT_FILE"
VERDICT_FILE = "/tmp/.leoflow-verdict"
MAX_VERDICT_BYTES = 4096
# In each answer of a control plane. A refusal without it is some proxy's, and not believed.
PROTOCOL_HEADER = "leoflow-protocol"

EVENTS_PATH = "/agent/v1/events"
INPUTS_PATH = "/agent/v1/inputs"
XCOM_PATH = "/agent/v1/xcom"

# A longer workload does not fit into one environment string (128 KiB on Linux), so its inputs
# are left out and the agent asks for them.
MAX_INLINE_INPUTS_BYTES = 32 * 1024


class TaskContext(TypedDict):
    """What a task may know of its run. Instants are ISO 8601 with an offset."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    logical_date: str
    data_interval_start: str
    data_interval_end: str
    params: dict[str, Any]
    conf: dict[str, Any]


class FromEnvironment(TypedDict):
    """Stands for a variable of the task's environment; what it means is at spec.FromEnvironment."""

    env: str
    prefix: str
    part: Literal["login", "password", "basic"] | None


class HttpCondition(TypedDict):
    """When an answer is the last one; what each field means is at spec.HttpCondition."""

    status: list[int] | None
    path: str | None
    one_of: list[Any] | None
    none_of: list[Any] | None


class HttpPoll(TypedDict):
    """How a request is repeated; what each field means is at spec.HttpPoll."""

    until: HttpCondition
    interval_seconds: float
    fail_when: HttpCondition | None


class HttpPagination(TypedDict):
    """Where the next page is; what each field means is at spec.HttpPagination."""

    next: Literal["url", "cursor", "link_header", "page_number"]
    items: str | None
    path: str | None
    query: str | None
    first_page: int
    max_pages: int
    allowed_hosts: list[str]


class HttpRequest(TypedDict):
    """One HTTP request with every value filled in but those that only the task's process knows.

    A request without the fields that are not required is sent once, as all were in the beginning.
    """

    method: str
    url: str | FromEnvironment
    headers: dict[str, str | FromEnvironment]
    query: dict[str, str | FromEnvironment]
    body: Any
    timeout_seconds: float
    success_codes: list[int]
    connect_timeout_seconds: NotRequired[float | None]
    request_retries: NotRequired[int]
    retry_codes: NotRequired[list[int]]
    poll: NotRequired[HttpPoll | None]
    pagination: NotRequired[HttpPagination | None]
    save_as: NotRequired[str | None]


class Inputs(TypedDict):
    """The values that a try works on; XComs are filled in.

    ``environment`` is set in the task's process before user code: the variables of a bash task,
    and declared Airflow variables and connections as AIRFLOW_VAR_NAME and AIRFLOW_CONN_NAME.
    """

    args: list[Any]
    kwargs: dict[str, Any]
    environment: dict[str, str]
    request: HttpRequest | None


class Job(TypedDict):
    """What to run: ``python`` calls a function, ``bash`` a command or the command that a function
    returns, ``http_api`` sends a request. ``function`` None: look the task_id up in the DAG."""

    kind: Literal["python", "bash", "http_api"]
    module: str | None
    function: str | None
    command: str | None


class Workload(TypedDict):
    """One try, handed to the agent in the environment variable LEOFLOW_WORKLOAD.

    ``endpoint`` is ``unix:PATH``, ``http://HOST:PORT`` or ``https://HOST:PORT``; ``ca`` are the
    certificates (PEM) that https trusts in place of the image's own, None for these.
    ``inputs`` None: ask INPUTS_PATH, once the control plane has taken the first report; until then
    the task does not begin. ``patience_seconds``: how long a task that is over waits for
    the control plane to take its verdict; then it is left in the container.
    ``fresh_interpreter``: the DAG declares PYTHON* variables, which only a new interpreter obeys.
    """

    protocol: int
    endpoint: str
    ca: str | None
    token: str
    context: TaskContext
    job: Job
    inputs: Inputs | None
    fresh_interpreter: bool
    execution_timeout_seconds: float | None
    grace_seconds: float
    heartbeat_seconds: float
    patience_seconds: float
    xcom_limit_bytes: int


class Event(TypedDict, total=False):
    """One thing that happened, ``at`` seconds since the epoch. ``seq`` counts from 1 without gaps.

    started   agent_up
    entered   import_started, entered: user code is imported in between
    log       stream, text
    xcom      key, value
    heartbeat
    finished  state, reason, exit_code, left; retryable False: trying again cannot help
    """

    seq: int
    at: float
    type: Literal["started", "entered", "log", "xcom", "heartbeat", "finished"]
    agent_up: float
    import_started: float
    entered: float
    stream: Literal["stdout", "stderr"]
    text: str
    key: str
    value: Any
    state: Literal["success", "failed", "skipped"]
    reason: str | None
    exit_code: int
    left: float
    retryable: bool


class Pulled(TypedDict):
    """The answer of XCOM_PATH to ?task_id=…&key=…&map_index=…: the value, None where there is none.

    ``error`` says why there can be none, for the task to raise, or is None.
    """

    value: Any
    error: str | None


class Report(TypedDict):
    """A batch of events in order; ``nonce`` is chosen once by each agent."""

    protocol: int
    nonce: str
    events: list[Event]


class LeftVerdict(TypedDict):
    """A verdict that the control plane did not come for; ``exit_code`` is the agent's own."""

    state: Literal["success", "failed", "skipped"]
    reason: str | None
    exit_code: int


class Acknowledgement(TypedDict):
    """All events up to ``ack`` are durable. ``terminate`` says why to stop, or None.

    ``token`` takes the place of the one that the agent has, which will expire.
    """

    ack: int
    terminate: str | None
    heartbeat_seconds: float
    token: NotRequired[str]
