"""Write the one document that an agent is started with. Pure: secrets are arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

from leoflow_agent.action import Action, BashAction, HttpAction
from leoflow_agent.spec import DagSpec, TaskSpec
from leoflow_agent.wire import (
    MAX_INLINE_INPUTS_BYTES,
    PROTOCOL,
    Inputs,
    Job,
    TaskContext,
    Workload,
)

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.jsontext import encode
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.secretsource import declares_secrets
from leoflow_controlplane.setting import Settings

# Linux ends one environment string at 128 KiB, its name included.
MAX_WORKLOAD_BYTES = 128 * 1024 - 64


class RunContext(NamedTuple):
    """What the tasks of a run may know of it. Instants are ISO 8601 with an offset."""

    logical_date: str
    data_interval_start: str
    data_interval_end: str
    params: dict[str, Any]
    conf: dict[str, Any]
    traceparent: str | None = None


class Dispatch(NamedTuple):
    """A try that is durable and now has to be started."""

    key: TryKey
    dag: DagSpec
    task: TaskSpec
    image: str
    run: RunContext
    inputs: Inputs
    token: str
    inline: bool
    artifacts: str | None
    # The number of its last try, should all fail; a clear has moved it.
    max_tries: int
    # The manifest's, None where it is not known.
    image_digest: str | None = None
    # Whether any task of its run leaves artifacts.
    run_leaves_artifacts: bool = False


def make_workload(
    dispatch: Dispatch,
    endpoint: str,
    settings: Settings,
    ca: str | None = None,
    *,
    heard_first: bool = False,
) -> Workload:
    """Write the workload of a try; large inputs are left out and have to be asked for.

    So are those of a try that is given secrets: what is handed over in a container's configuration
    can be read by whoever may look at that. ``ca`` are the certificates (PEM) that an https
    endpoint's is checked against. ``heard_first``: the task must not begin before its agent was
    heard; nor can it without its inputs.
    """
    small = len(encode(dispatch.inputs)) <= MAX_INLINE_INPUTS_BYTES
    inline = small and not heard_first and not declares_secrets(dispatch.task)
    return Workload(
        protocol=PROTOCOL,
        endpoint=endpoint,
        ca=ca,
        token=dispatch.token,
        context=make_context(dispatch),
        job=make_job(dispatch.task.action),
        inputs=dispatch.inputs if inline else None,
        fresh_interpreter=any(name.startswith("PYTHON") for name in dispatch.dag.environment),
        execution_timeout_seconds=dispatch.task.execution_timeout_seconds,
        grace_seconds=settings.grace_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        patience_seconds=settings.patience_seconds,
        xcom_limit_bytes=settings.xcom_limit_bytes,
    )


def make_context(dispatch: Dispatch) -> TaskContext:
    """Tell a task which try of which run it is."""
    return TaskContext(
        dag_id=dispatch.key.dag_id,
        run_id=dispatch.key.run_id,
        task_id=dispatch.key.task_id,
        map_index=dispatch.key.map_index,
        try_number=dispatch.key.try_number,
        max_tries=dispatch.max_tries,
        logical_date=dispatch.run.logical_date,
        data_interval_start=dispatch.run.data_interval_start,
        data_interval_end=dispatch.run.data_interval_end,
        params=dispatch.run.params,
        conf=dispatch.run.conf,
    )


def make_job(action: Action) -> Job:
    """Say what to run, without the values that it works on."""
    if isinstance(action, HttpAction):
        return Job(kind="http_api", module=None, function=None, command=None)
    if isinstance(action, BashAction):
        call = action.python
        return Job(
            kind="bash",
            module=call.module if call else None,
            function=call.function if call else None,
            command=action.command,
        )
    return Job(kind="python", module=action.module, function=action.function, command=None)


def encode_workload(workload: Workload) -> str:
    """Write ``workload`` as one environment variable's text; LaunchFailed if it is too long."""
    text = encode(workload)
    if len(text) > MAX_WORKLOAD_BYTES:
        raise LaunchFailed(
            f"task '{workload['context']['task_id']}': its command, params and conf take "
            f"{len(text)} bytes, and one environment variable holds {MAX_WORKLOAD_BYTES}. "
            "Pass large values as a file of the project or as the result of a task.",
            transient=False,
        )
    return text.decode()
