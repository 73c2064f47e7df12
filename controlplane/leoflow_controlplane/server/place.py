"""Where tries run, as the settings say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from leoflow_controlplane.agentserver import is_loopback
from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.executor.hostproject import HostProject
from leoflow_controlplane.executor.protocol import ExecutorFactory
from leoflow_controlplane.serversetting import ServerSettings

if TYPE_CHECKING:
    from leoflow_controlplane.executor.reach import Address


class Projects(Protocol):
    """Knows the code of DAGs that run as subprocesses; whoever starts the server has it."""

    def find(self, dag_id: str) -> HostProject:
        """Give the code of a DAG; LaunchFailed if there is none. May take long."""

    def refusal(self, dag_id: str) -> str | None:
        """Say why a DAG cannot run here; None if it can."""


def agents_address(settings: ServerSettings) -> Address | None:
    """Give where agents report to, as the settings say; SettingInvalid if they cannot.

    Pods' agents come to the server's own port, unless another one is named. Containers' have a
    socket, or a port that is opened for them.
    """
    from leoflow_controlplane.executor.reach import read_address, require_address

    if settings.executor != "kubernetes":
        return read_address(settings.environment)
    address = require_address(read_address(settings.environment, own_port=True))
    if settings.tls_cert and not address.listen and not address.url.startswith("https:"):
        raise SettingInvalid(
            f"agent_url is '{address.url}', and the server's own port, where agents come, speaks "
            "https (tls_cert). Write https://, with agent_ca for a certificate of your own making; "
            "or name another port with agent_listen."
        )
    return address


def warn_of_address(settings: ServerSettings) -> str | None:
    """Say that Pods will most likely not reach this server."""
    from leoflow_controlplane.executor.reach import warn_of_loopback

    address = agents_address(settings) if settings.executor == "kubernetes" else None
    if address is None:
        return None
    found = warn_of_loopback(address)
    if found is None and address.listen is None and is_loopback(settings.host):
        return (
            f"warning: Pods report to '{address.url}' (agent_url), and the server listens at "
            f"{settings.host} only: unless something on this machine hands that on, set host, as "
            "in --host 0.0.0.0"
        )
    return found


def executor_factory(settings: ServerSettings, projects: Projects | None) -> ExecutorFactory:
    """Give the factory of the executor; ExecutorUnusable if a certificate cannot be read."""
    if settings.executor == "subprocess":
        from leoflow_controlplane.executor.subprocess import subprocess_executor

        if projects is None:
            raise SettingInvalid("executor is 'subprocess', but there is nothing to run with it.")
        return subprocess_executor(projects.find)
    address = agents_address(settings)
    if settings.executor == "kubernetes":
        from leoflow_controlplane.executor.cluster.opening import kubernetes_executor

        return kubernetes_executor(settings.kubernetes, address, os.environ, patient=True)
    from leoflow_controlplane.executor.docker.executor import docker_executor

    return docker_executor(address, environment=settings.engine)
