"""Makes the executor of a cluster: finds it, asks what may be done there, listens for agents."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connect import choose_access
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.executor import KubernetesExecutor
from leoflow_controlplane.executor.cluster.fault import Away, Broken, CallFailed, Unauthorized
from leoflow_controlplane.executor.cluster.mounting import check_mount
from leoflow_controlplane.executor.cluster.pace import pause
from leoflow_controlplane.executor.cluster.permission import check_rights
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.executor.reach import Address, listen_at, require_address
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.pod.site import PodSite

logger = logging.getLogger("leoflow.executor.kubernetes")

_CREDENTIALS = (
    "It does not take the credentials that it was shown: log in to the cluster again, or set "
    "KUBECONFIG to the file of a user that it knows."
)
_WAY = (
    "Look whether it runs and is reached from here. Which one is asked is said by KUBECONFIG and "
    "LEOFLOW_KUBERNETES_CONTEXT, or by the cluster that this process is in."
)


def kubernetes_executor(
    settings: KubernetesSettings,
    address: Address | None,
    environment: Mapping[str, str],
    *,
    patient: bool = False,
) -> Callable[[Site], Awaitable[KubernetesExecutor]]:
    """Give the factory of an executor on the cluster that KUBECONFIG of ``environment`` names, or
    that this process is in.

    ``address`` is where Pods reach this process; there is none that could be guessed. Raises
    ExecutorUnusable; with ``patient`` the factory waits for an API server that does not answer,
    and logs that it does.
    """

    async def make(site: Site) -> KubernetesExecutor:
        place_of_agents = require_address(address)
        access = choose_access(environment, settings.context, settings.namespace)
        connection = Connection(access)
        await connection.open()
        try:
            place = _place_of(settings, connection.namespace, site.realm_id, site.owner_id)
            await _check(connection, place, settings, patient=patient)
            # A server hears agents on its own port, whatever leads there.
            if place_of_agents.listen is not None or not site.is_server:
                await listen_at(place_of_agents, site)
        except BaseException:
            await connection.close()
            raise
        calls = ApiCalls(connection)
        url, _, ca = place_of_agents
        executor = KubernetesExecutor(calls, place, site, settings, url, ca)
        executor.open()
        return executor

    return make


async def look_at_cluster(settings: KubernetesSettings, environment: Mapping[str, str]) -> str:
    """Say which cluster and namespace would be used; ExecutorUnusable if they cannot be."""
    connection = Connection(choose_access(environment, settings.context, settings.namespace))
    await connection.open()
    try:
        place = _place_of(settings, connection.namespace, "check", "check")
        await _check(connection, place, settings, patient=False)
        return f"namespace '{connection.namespace}' of {connection.host}"
    finally:
        await connection.close()


def _place_of(settings: KubernetesSettings, namespace: str, realm: str, owner: str) -> PodSite:
    return PodSite(
        namespace=namespace,
        realm_id=realm,
        owner_id=owner,
        image_pull_secrets=settings.image_pull_secrets,
        service_account=settings.service_account,
        agent_image=settings.agent_image,
        agent_mount=settings.agent_mount,
    )


async def _check(
    connection: Connection, place: PodSite, settings: KubernetesSettings, *, patient: bool
) -> None:
    attempt = 0
    while True:
        try:
            await check_rights(connection, prepull=settings.prepull)
            await check_mount(connection, place)
            return
        except (Away, Broken) as fault:
            fix = _CREDENTIALS if isinstance(fault, Unauthorized) else _WAY
            server = f"the Kubernetes API server at {connection.host}"
            text = f"{server} cannot be used: {fault.words}. {fix}"
            if not patient:
                raise ExecutorUnusable(text) from fault
            if attempt == 0:
                logger.warning("no task can start yet, waiting: %s", text)
        except CallFailed as fault:
            raise ExecutorUnusable(
                f"the Kubernetes API server at {connection.host} cannot be used: {fault.words}"
            ) from fault
        await asyncio.sleep(pause(attempt))
        attempt += 1
