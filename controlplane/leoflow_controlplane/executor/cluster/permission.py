"""Asks the cluster, before anything is started, whether this process may do what it has to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import NamedTuple

from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import NotThere, Refused
from leoflow_controlplane.pod.name import MAX_LABEL

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

# RFC 1123, which is what the API server has namespaces named by.
_LABEL = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")


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
# not asked for; those for staging are once a DAG has it.
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
    _check_name(connection.namespace)
    await _check_namespace(connection)
    missing = await find_missing(connection, (*NEEDED, *(FOR_PREPULL if prepull else ())))
    if missing:
        raise ExecutorUnusable(tell_missing(missing, connection.namespace, connection.host))


async def find_missing(connection: Connection, rights: Iterable[Right]) -> list[Right]:
    """Ask for rights, and give those that this process does not have. Raises Away."""
    rights = [*rights]
    granted = await asyncio.gather(*(_is_granted(connection, right) for right in rights))
    return [right for right, may in zip(rights, granted, strict=True) if not may]


def tell_missing(missing: Iterable[Right], namespace: str, host: str = "") -> str:
    """Say which rights are missing, and what to do."""
    where = f"namespace '{namespace}'" + (f" of the cluster at {host}" if host else "")
    return (
        f"this process may not do in {where} what it needs to: {', '.join(map(str, missing))}. "
        "Bind the Role of docs/kubernetes.md to its user or service account."
    )


def _check_name(namespace: str) -> None:
    if not _LABEL.fullmatch(namespace) or len(namespace) > MAX_LABEL:
        raise ExecutorUnusable(
            f"'{namespace}' cannot be the name of a namespace: that is made of lower-case letters, "
            f"digits and '-', begins and ends with a letter or a digit, and has {MAX_LABEL} "
            "characters at most. Set LEOFLOW_KUBERNETES_NAMESPACE, or the namespace of the "
            "kubeconfig's context, to one that exists."
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


async def _is_granted(connection: Connection, right: Right) -> bool:
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
