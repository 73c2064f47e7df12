"""Pulls an image on the nodes where its tasks may run, before the first of them does.

By a DaemonSet that lives until every node has the image: that needs no right to look at nodes, and
the scheduler knows which ones match. Its containers name a program that no image has, so nothing of
the image is ever run. Whatever goes wrong is only told: a Pod pulls what it needs itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leoflow_agent.podname import OWN_PREFIX
from leoflow_agent.podoption import PodOptions

from leoflow_controlplane.executor.cluster.calls import Calls, Object, list_pages
from leoflow_controlplane.executor.cluster.fault import AlreadyThere, CallFailed
from leoflow_controlplane.pod.name import MANAGED_BY, label_value
from leoflow_controlplane.pod.security import helper_security, pod_security
from leoflow_controlplane.pod.site import PodSite

LABEL = OWN_PREFIX + "prepull"
WHICH = OWN_PREFIX + "prepull-of"
NO_PROGRAM = "/leoflow-only-pulls-this-image"
LOOK_SECONDS = 2.0
NO_OPTIONS = PodOptions()

_AMOUNTS = {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"}
# Of a container that waits although its image is there.
_PULLED = frozenset({"RunContainerError", "CreateContainerError", "CrashLoopBackOff"})

logger = logging.getLogger("leoflow.executor.kubernetes")


class Prepull:
    """Pulls images in one namespace."""

    def __init__(self, calls: Calls, site: PodSite, timeout_seconds: float) -> None:
        self._calls = calls
        self._site = site
        self._timeout_seconds = timeout_seconds
        self._mine = f"{LABEL}={label_value(site.realm_id)}"

    async def pull(self, image: str, tasks: Iterable[PodOptions | None]) -> int:
        """Pull ``image`` wherever ``tasks`` may run; return on how many nodes it is then."""
        bodies = make_daemon_sets(image, tasks, self._site)
        counts = await asyncio.gather(*(self._pull(image, body) for body in bodies))
        return sum(counts)

    async def sweep(self) -> None:
        """Remove what a dead process has not."""
        try:
            for left in await self._calls.list_daemon_sets(self._mine):
                await self._calls.delete_daemon_set(left["metadata"]["name"])
        except CallFailed as fault:
            logger.warning("DaemonSets that pull images cannot be removed: %s", fault.words)

    async def _pull(self, image: str, body: Object) -> int:
        name, count = body["metadata"]["name"], 0
        try:
            try:
                await self._calls.create_daemon_set(body)
            except AlreadyThere:
                logger.info("image '%s' is being pulled already", image)
            count = await self._wait(image, name)
        except CallFailed as fault:
            logger.warning("image '%s' is not pulled ahead: %s", image, fault.words)
        finally:
            await asyncio.shield(self._delete(name))
        return count

    async def _delete(self, name: str) -> None:
        try:
            await self._calls.delete_daemon_set(name)
        except CallFailed as fault:
            logger.warning("DaemonSet '%s' is left until the next start: %s", name, fault.words)

    async def _wait(self, image: str, name: str) -> int:
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            wanted, there = await self._count(name)
            if wanted is not None and there >= wanted:
                logger.info("image '%s' is on %d nodes", image, there)
                return there
            if time.monotonic() >= deadline:
                of = "unknown" if wanted is None else wanted
                logger.warning("image '%s' is on %d of %s nodes only", image, there, of)
                return there
            await asyncio.sleep(LOOK_SECONDS)

    async def _count(self, name: str) -> tuple[int | None, int]:
        """Count the nodes that should have the image, if that is known, and those that do."""
        found = await self._calls.list_daemon_sets(f"{self._mine},{WHICH}={name}")
        status = (found[0].get("status") or {}) if found else {}
        wanted = status.get("desiredNumberScheduled") if status.get("observedGeneration") else None
        there = 0
        async for page in list_pages(self._calls, f"{self._mine},{WHICH}={name}"):
            there += sum(has_pulled(pod) for pod in page.items)
        return wanted, there


def make_daemon_sets(
    image: str, tasks: Iterable[PodOptions | None], site: PodSite
) -> list[dict[str, Any]]:
    """Give the bodies of DaemonSets that pull ``image``, one for each kind of nodes that tasks may
    run on. A task's ``pod_override`` is not looked at."""
    specs = [_make_spec(image, options or NO_OPTIONS, site) for options in tasks]
    unlike = {json.dumps(spec, sort_keys=True): spec for spec in specs}
    return [_make_daemon_set(text, spec, site) for text, spec in unlike.items()]


def has_pulled(pod: Object) -> bool:
    """Say whether the node of a Pod has all its images."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    containers = pod["spec"]["containers"]
    return len(statuses) == len(containers) and all(map(_has_image, statuses))


def _has_image(status: Mapping[str, Any]) -> bool:
    state = status.get("state") or {}
    waiting = state.get("waiting")
    if waiting is None:
        return bool(state)
    return bool(status.get("lastState")) or waiting.get("reason") in _PULLED


def _make_daemon_set(text: str, spec: dict[str, Any], site: PodSite) -> dict[str, Any]:
    digest = hashlib.sha256(f"{site.realm_id}\0{text}".encode()).hexdigest()[:16]
    name = f"leoflow-prepull-{digest}"
    own = {LABEL: label_value(site.realm_id), WHICH: name}
    labels = {**MANAGED_BY, **own}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": site.namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": own},
            "updateStrategy": {"type": "OnDelete"},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def _make_spec(image: str, options: PodOptions, site: PodSite) -> dict[str, Any]:
    secrets = dict.fromkeys((*site.image_pull_secrets, *options.image_pull_secrets))
    affinity = options.affinity if isinstance(options.affinity, dict) else {}
    # Where other Pods are says nothing of where an image is needed.
    of_nodes = {name: value for name, value in affinity.items() if name == "nodeAffinity"}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(NO_OPTIONS),
        "nodeSelector": dict(options.node_selector),
        "tolerations": list(options.tolerations),
        "affinity": of_nodes,
        "runtimeClassName": options.runtime_class_name,
        "imagePullSecrets": [{"name": name} for name in secrets],
        "containers": list(_make_containers(image, site)),
    }
    return {name: value for name, value in spec.items() if value not in (None, [], {})}


def _make_containers(image: str, site: PodSite) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(filter(None, (image, site.agent_image))):
        yield {
            "name": f"image-{number}",
            "image": one,
            "imagePullPolicy": "IfNotPresent",
            "command": [NO_PROGRAM],
            "resources": {"requests": _AMOUNTS, "limits": _AMOUNTS},
            "securityContext": helper_security(),
        }
