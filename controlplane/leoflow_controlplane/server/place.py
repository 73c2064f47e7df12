"""Where tries run, as the settings say."""

from __future__ import annotations

import os
from typing import Protocol

from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.executor.hostproject import HostProject
from leoflow_controlplane.executor.protocol import ExecutorFactory
from leoflow_controlplane.serversetting import ServerSettings


class Projects(Protocol):
    """Knows the code of DAGs that run as subprocesses; whoever starts the server has it."""

    def find(self, dag_id: str) -> HostProject:
        """Give the code of a DAG; LaunchFailed if there is none. May take long."""

    def refusal(self, dag_id: str) -> str | None:
        """Say why a DAG cannot run here; None if it can."""


def executor_factory(settings: ServerSettings, projects: Projects | None) -> ExecutorFactory:
    """Give the factory of the executor; ExecutorUnusable if a certificate cannot be read."""
    if settings.executor == "subprocess":
        from leoflow_controlplane.executor.subprocess import subprocess_executor

        if projects is None:
            raise SettingInvalid("executor is 'subprocess', but there is nothing to run with it.")
        return subprocess_executor(projects.find)
    from leoflow_controlplane.executor.reach import read_address, require_address

    if settings.executor == "kubernetes":
        from leoflow_controlplane.executor.cluster.opening import kubernetes_executor

        address = require_address(read_address(settings.environment))
        return kubernetes_executor(settings.kubernetes, address, os.environ, patient=True)
    from leoflow_controlplane.executor.docker.executor import docker_executor

    return docker_executor(read_address(settings.environment))
