"""Asks the cluster, before anything is started, whether this process may do what it has to."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import NotThere, Refused

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Right(NamedTuple):
    """A verb on a resource of the namespace."""

    verb: str
    resource: str
    subresource: str = ""
    group: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource}" + (f" ({self.group})" if self.group else "")


# What docs/kubernetes.md and the manifests grant. Without events, words are poorer, so they are
# not asked for.
NEEDED = (
    *(Right(verb, "pods") for verb in ("create", "get", "list", "watch", "delete")),
    Right("get", "pods", "log"),
)
FOR_STAGING = tuple(
    Right(verb, "persistentvolumeclaims") for verb in ("create", "get", "list", "delete")
)
FOR_PREPULL = tuple(
    Right(verb, "daemonsets", group="apps") for verb in ("create", "list", "delete")
)


async def check_rights(connection: Connection, *, prepull: bool) -> None:
    """Raise ExecutorUnusable if the namespace does not exist, or naming each right that is
    missing; raises Away if nobody answers."""
    namespace = connection.namespace
    await _check_namespace(connection)
    wanted = (*NEEDED, *FOR_STAGING, *(FOR_PREPULL if prepull else ()))
    granted = await asyncio.gather(*(is_granted(connection, right) for right in wanted))
    missing = [str(right) for right, may in zip(wanted, granted, strict=True) if not may]
    if missing:
        raise ExecutorUnusable(
            f"this process may not do in namespace '{namespace}' of the cluster at "
            f"{connection.host} what it needs to: {', '.join(missing)}. Bind the Role of "
            "docs/kubernetes.md to its user or service account."
        )


async def _check_namespace(connection: Connection) -> None:
    try:
        (await connection.ask("GET", f"/api/v1/namespaces/{connection.namespace}")).json()
    except NotThere:
        raise ExecutorUnusable(
            f"there is no namespace '{connection.namespace}' in the cluster at {connection.host}. "
            f"Create it ('kubectl create namespace {connection.namespace}'), or set "
            "LEOFLOW_KUBERNETES_NAMESPACE to one that exists."
        ) from None
    except Refused:
        # Who may work in a namespace need not be allowed to look at it.
        return


async def is_granted(connection: Connection, right: Right) -> bool:
    """Say whether this process has a right in the namespace."""
    attributes = {
        "namespace": connection.namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        answer = (await connection.ask("POST", _REVIEWS, None, review)).json()
    except Refused:
        # A cluster that does not answer this question answers the calls themselves.
        return True
    return bool((answer.get("status") or {}).get("allowed"))
