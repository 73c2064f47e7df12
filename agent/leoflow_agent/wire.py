"""What the agent and the control plane say to each other: the types of their JSON documents.

The agent sees these types only while it is checked, never while it runs: importing ``typing``
would cost more than sending a request. Field names are the protocol; a change of meaning is a
new ``PROTOCOL``.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

PROTOCOL = 1
# In each answer of a control plane. A refusal without it is some proxy's, and not believed.
PROTOCOL_HEADER = "leoflow-protocol"

EVENTS_PATH = "/agent/v1/events"
INPUTS_PATH = "/agent/v1/inputs"

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


class HttpRequest(TypedDict):
    """One HTTP request with every value filled in."""

    method: str
    url: str
    headers: dict[str, str]
    query: dict[str, str]
    body: Any
    timeout_seconds: float
    success_codes: list[int]


class Inputs(TypedDict):
    """The values that a try works on; XComs are filled in."""

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
    ``inputs`` None: ask INPUTS_PATH. ``patience_seconds``: how long a task that is over waits for
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
    finished  state, reason, exit_code, left
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


class Report(TypedDict):
    """A batch of events in order; ``nonce`` is chosen once by each agent."""

    protocol: int
    nonce: str
    events: list[Event]


class Acknowledgement(TypedDict):
    """All events up to ``ack`` are durable. ``terminate`` says why to stop, or None."""

    ack: int
    terminate: str | None
    heartbeat_seconds: float
