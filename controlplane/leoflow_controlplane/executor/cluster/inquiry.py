"""Asks the cluster, before a DAG is known or run, whether it can be honoured there."""

from __future__ import annotations

import logging

from leoflow_agent.spec import DagSpec

from leoflow_controlplane.executor.cluster.calls import Calls
from leoflow_controlplane.executor.cluster.claims import Claims
from leoflow_controlplane.executor.cluster.fault import (
    AlreadyThere,
    CallFailed,
    QuotaExceeded,
    Refused,
)
from leoflow_controlplane.executor.cluster.permission import tell_missing
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.pod.dropped import find_dropped
from leoflow_controlplane.pod.making import make_pod
from leoflow_controlplane.pod.site import PodSite

DROPPED = "a feature gate of the API server is off, or a webhook takes it out"

logger = logging.getLogger("leoflow.executor.kubernetes")


class Inquiry:
    """Asks about one namespace."""

    def __init__(self, calls: Calls, place: PodSite, claims: Claims) -> None:
        self._calls = calls
        self._place = place
        self._claims = claims

    async def find_refusal(self, launch: Launch) -> str | None:
        """Ask the cluster whether it would take the Pod of a try, whole; give its words if not.

        What may be otherwise later, such as a quota or an API server that is away, is no refusal.
        Raises LaunchFailed as `make_pod` does.
        """
        pod = make_pod(launch, self._place)
        try:
            answered = await self._calls.create_pod(pod, dry_run=True)
            if dropped := list(find_dropped(pod, answered)):
                return f"it would drop {', '.join(dropped)} without a word: {DROPPED}"
        except (AlreadyThere, QuotaExceeded):
            return None
        except Refused as fault:
            return fault.words
        except CallFailed as fault:
            logger.warning("the cluster cannot be asked about a Pod: %s", fault.words)
        return None

    async def find_lack(self, spec: DagSpec) -> str | None:
        """Say what this process may not do that a DAG needs beyond Pods: claims for staging."""
        if spec.staging_bytes is None:
            return None
        try:
            missing = await self._claims.find_missing()
        except CallFailed as fault:
            logger.warning("the cluster cannot be asked for rights: %s", fault.words)
            return None
        if not missing:
            return None
        return f"it has 'staging', and {tell_missing(missing, self._place.namespace)}"
