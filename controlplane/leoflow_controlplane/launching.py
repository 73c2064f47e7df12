"""Make what an executor needs to start a try: folders, variables, the workload. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from leoflow_agent.wire import Workload

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.protocol import Executor
from leoflow_controlplane.launch import Launch, be_silent, be_unheard
from leoflow_controlplane.secretsource import SecretSource, find_missing
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.traceparent import VARIABLE as TRACEPARENT
from leoflow_controlplane.traceparent import continue_trace, own_trace
from leoflow_controlplane.workload import Dispatch, make_workload


class Launcher:
    """Prepares launches within one control plane. With ``traces`` each run has a trace."""

    def __init__(self, settings: Settings, secrets: SecretSource, *, traces: bool = False) -> None:
        self._traces = traces
        self._settings = settings
        self._secrets = secrets

    def prepare(
        self,
        dispatch: Dispatch,
        executor: Executor,
        say: Callable[[str], None],
        is_heard: Callable[[], bool],
    ) -> Launch:
        """Prepare the launch of a try by ``executor``; LaunchFailed if it lacks a secret."""
        if missing := find_missing(dispatch.task, self._secrets):
            raise LaunchFailed("\n".join(missing), transient=False)
        if dispatch.artifacts is not None and executor.pods is None:
            _make_artifacts_folder(Path(dispatch.artifacts))
        # A Pod can vanish before anybody saw it, and is created again then.
        heard_first = executor.pods is not None
        workload = make_workload(
            dispatch, executor.endpoint, self._settings, executor.ca, heard_first=heard_first
        )
        return make_launch(dispatch, workload, self._environment(dispatch), say, is_heard)

    def _environment(self, dispatch: Dispatch) -> Mapping[str, str]:
        trace = dispatch.run.traceparent
        if trace is None and self._traces:
            trace = own_trace(dispatch.key.run)
        if trace is None:
            return dispatch.dag.environment
        return {**dispatch.dag.environment, TRACEPARENT: continue_trace(trace, dispatch.key)}


def make_launch(
    dispatch: Dispatch,
    workload: Workload,
    environment: Mapping[str, str],
    say: Callable[[str], None] = be_silent,
    is_heard: Callable[[], bool] = be_unheard,
) -> Launch:
    """Take from a dispatch what an executor has to know of it."""
    dag = dispatch.dag
    return Launch(
        key=dispatch.key,
        image=dispatch.image,
        workload=workload,
        task=dispatch.task,
        environment=environment,
        artifacts=dispatch.artifacts,
        staging_bytes=dag.staging_bytes,
        say=say,
        image_digest=dispatch.image_digest,
        python_version=dag.python_version,
        staging_storage_class=dag.staging_storage_class,
        staging_access_mode=dag.staging_access_mode,
        is_heard=is_heard,
        run_leaves_artifacts=dispatch.run_leaves_artifacts,
    )


def _make_artifacts_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The container's user is not ours; the home above keeps others of this machine out.
    folder.chmod(0o777)
