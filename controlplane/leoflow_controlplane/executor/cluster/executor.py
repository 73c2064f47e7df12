"""Run tries as Pods of a Kubernetes cluster. Decides nothing; ``pod`` says what they are and mean.

Puts together what ``creating``, ``watching``, ``ends`` and ``tidying`` do.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Collection, Iterable
from contextlib import suppress

from leoflow_agent.spec import DagSpec, TaskSpec

from leoflow_controlplane.executor.cluster.calls import Calls
from leoflow_controlplane.executor.cluster.claims import Claims
from leoflow_controlplane.executor.cluster.creating import Creator, Order
from leoflow_controlplane.executor.cluster.ends import Ends
from leoflow_controlplane.executor.cluster.fault import CallFailed, Moved
from leoflow_controlplane.executor.cluster.inquiry import Inquiry
from leoflow_controlplane.executor.cluster.leftover import Keep, Leftovers, select_own
from leoflow_controlplane.executor.cluster.limits import LEAVE_SECONDS
from leoflow_controlplane.executor.cluster.live import Live
from leoflow_controlplane.executor.cluster.overdue import Overdue
from leoflow_controlplane.executor.cluster.pace import pause
from leoflow_controlplane.executor.cluster.prepull import Prepull
from leoflow_controlplane.executor.cluster.tidying import AT_ONCE, Tidying
from leoflow_controlplane.executor.cluster.watching import Watch
from leoflow_controlplane.executor.protocol import Ended, Figures, FindRuns, PodChecker, Site
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.pod.claim import make_claim
from leoflow_controlplane.pod.ending import Over, judge
from leoflow_controlplane.pod.making import make_pod
from leoflow_controlplane.pod.name import claim_name, own_labels, pod_name
from leoflow_controlplane.pod.site import PodSite
from leoflow_controlplane.pod.volume import artifacts_folder

TAIL_LINES = 50

logger = logging.getLogger("leoflow.executor.kubernetes")


class KubernetesExecutor:
    """One Pod for each try. Make it with `kubernetes_executor`."""

    def __init__(
        self,
        calls: Calls,
        place: PodSite,
        site: Site,
        settings: KubernetesSettings,
        endpoint: str,
        ca: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.ca = ca
        self.figures = Figures()
        self._calls = calls
        self._place = place
        self._site = site
        self._settings = settings
        rate = settings.create_rate
        # What a dead process left has an owner only once it was adopted.
        self._tidying = Tidying(calls, rate, may_remove_strays=not site.is_server)
        selector = select_own(place)
        self._ends = Ends(calls, self.figures)
        self._overdue = Overdue(calls, self._ends, site.limits, own_labels(place))
        self._watch = Watch(calls, selector, self._ends, self._tidying, self.figures)
        self._claims = Claims(calls, self._ends.spawn)
        self._creator = Creator(calls, self._watch, self._tidying, self._claims, site.limits, rate)
        keep = Keep(settings.keep_finished_seconds, settings.keep_failed_seconds)
        self._leftovers = Leftovers(calls, place, self._watch, self._tidying, self._claims, keep)
        self._keep = keep
        self._inquiry = Inquiry(calls, place, self._claims)
        self._prepull = Prepull(calls, place, site.limits.pull_timeout_seconds)

    @property
    def pods(self) -> PodChecker:
        """What can be asked about Pods is asked here."""
        return self

    @property
    def prepulls(self) -> bool:
        """Whether images are pulled ahead of need."""
        return self._settings.prepull

    @property
    def advice(self) -> str:
        """What to look at when a Pod runs and its agent does not report."""
        return (
            f"Its Pod ran, and its agent is to report to '{self.endpoint}' (LEOFLOW_AGENT_URL): "
            "look whether a Pod reaches that address (a firewall, a NetworkPolicy, a proxy, a name "
            "that the cluster's DNS does not know, an address of this machine's that others do not "
            "have), and what the log of the try says"
        )

    @property
    def trouble(self) -> str | None:
        """Whether the API server can be used."""
        return self._watch.trouble

    def open(self) -> None:
        """Begin to look for Pods that end."""
        self._tidying.open(self._ends.spawn)
        self._watch.open()
        self._overdue.open()

    async def start(self, launch: Launch) -> dict[str, float]:
        """Have the Pod of a try created, or adopt the one that is there. That it runs is not
        waited for: its agent tells of that, and the limits of its stages are kept."""
        name, known = self._name(launch.key), self._ends.live
        if name in known:
            await known[name].settled.wait()
            return {}
        pod, claim = make_pod(launch, self._place), make_claim(launch, self._place)
        live = known[name] = Live(launch.key, name, launch.say)
        try:
            order = Order(
                launch.key,
                pod,
                claim,
                launch.say,
                live.unwanted,
                lambda: live.view is not None or launch.is_heard(),
            )
            created = await self._creator.create(order)
        except BaseException:
            known.pop(name, None)
            live.settled.set()
            raise
        if live.view is None or live.view.uid != created.thing["metadata"]["uid"]:
            self._watch.look_for(created.thing)
        if created.at is None:
            self._ends.adopt(live, created.thing)
            return {}
        self.figures.started += 1
        self._ends.look_after(live, created.thing)
        return {"created": created.at}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Have a Pod deleted: SIGTERM, and SIGKILL after the grace, which is a second at least."""
        live = self._ends.live.get(self._name(key))
        if live is None:
            return
        live.unwanted.set()
        await live.settled.wait()
        grace, attempt = max(AT_ONCE, math.ceil(grace_seconds)), 0
        while live.started and not live.told.is_set():
            try:
                await self._ask_to_stop(live, grace)
            except CallFailed as fault:
                if not attempt:
                    logger.warning("Pod '%s' cannot be stopped yet: %s", live.name, fault.words)
                await asyncio.sleep(pause(attempt))
                attempt += 1

    async def _ask_to_stop(self, live: Live, grace_seconds: int) -> None:
        """Delete a Pod, and wait for its end for as long as that may take."""
        uid = "" if live.view is None else live.view.uid
        try:
            is_there = await self._calls.delete_pod(live.name, grace_seconds, uid=uid)
        except Moved:
            is_there = False
        if not is_there:
            # Nobody may have been watching as it went.
            self._ends.vanish(live)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds + LEAVE_SECONDS):
                await live.told.wait()

    async def ended(self) -> Ended:
        """Wait for the next try whose Pod has ended; it is not removed yet."""
        return await self._ends.next_end()

    async def log_tail(self, key: TryKey) -> str | None:
        """Read the last lines that the container wrote."""
        live = self._ends.live.get(self._name(key))
        if live is None or live.view is None or live.view.task is None:
            return None
        with suppress(CallFailed):
            return await self._calls.read_log(live.name, live.view.task.name, TAIL_LINES)
        return None

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Give the termination message, in which the agent leaves its verdict."""
        live = self._ends.live.get(self._name(key))
        task = None if live is None or live.view is None else live.view.task
        if task is None or task.phase != "terminated":
            return None
        return task.message.encode() or None

    async def remove(self, key: TryKey) -> None:
        """Have the Pod of a try deleted: once it was kept long enough for people to look at it if
        it ended by itself, else now."""
        name = self._name(key)
        live = self._ends.live.pop(name, None)
        if self._tidying.is_leaving(name) or (live is not None and live.vanished_at is not None):
            return
        if live is None or live.view is None:
            self._tidying.remove_now(name)
        elif isinstance(over := judge(live.view), Over):
            self._tidying.remove_later(name, live.view.uid, self._keep.seconds(over))
        else:
            self._tidying.remove_now(name, live.view.uid)

    async def end_run(self, run: RunKey) -> None:
        """Remove the claim of a run, unless artifacts are on it."""
        await self._claims.end(claim_name(run, self._place.realm_id))

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over the Pods of a dead process, and remove those that are not wanted.

        Waits for an API server that is away.
        """
        if self._settings.prepull:
            await self._prepull.sweep()
        return await self._leftovers.adopt(wanted, runs)

    async def sweep(self) -> list[str]:
        """Remove the Pods and claims of dead processes of this home."""
        return await self._leftovers.sweep(self._site.instance.is_alive)

    async def close(self, leave_running: bool = False) -> None:
        """Remove every Pod that was created here, also one whose creation is under way."""
        await self._ends.close()
        await asyncio.gather(*self._creator.under_way, return_exceptions=True)
        if not leave_running:
            await self._leftovers.remove_all()
        await self._calls.close()

    def starting(self, seconds: float) -> frozenset[TryKey]:
        """Name the tries whose container does not run yet, or only for less than ``seconds``."""
        since = time.time() - seconds
        return frozenset(
            live.key
            for live in self._ends.live.values()
            if not live.told.is_set() and _is_starting(live, since)
        )

    async def find_refusal(self, launch: Launch) -> str | None:
        """Ask the cluster whether it would take the Pod of a try, whole."""
        return await self._inquiry.find_refusal(launch)

    async def find_lack(self, spec: DagSpec) -> str | None:
        """Say what this process may not do that a DAG needs beyond Pods."""
        return await self._inquiry.find_lack(spec)

    def place_of_artifacts(self, key: TryKey) -> str:
        """Say on which claim the artifacts of a try are, and in which folder of it."""
        place = self._place
        folder, claim = artifacts_folder(key, place.realm_id), claim_name(key.run, place.realm_id)
        return f"folder {folder} of claim {claim} (namespace {place.namespace})"

    async def prune(self, find: FindRuns) -> None:
        """Remove the claims that were kept for artifacts of runs which are no more."""
        await self._leftovers.prune(find)

    async def prepull(self, image: str, tasks: Iterable[TaskSpec]) -> int:
        """Have ``image`` pulled wherever ``tasks`` may run, if that is wanted; return on how many
        nodes it is then. Takes as long as a pull; what goes wrong is only logged."""
        if not self._settings.prepull:
            return 0
        return await self._prepull.pull(image, [task.kubernetes for task in tasks])

    def _name(self, key: TryKey) -> str:
        return pod_name(key, self._place.realm_id)


def _is_starting(live: Live, since: float) -> bool:
    task = None if live.view is None else live.view.task
    return task is None or task.started_at is None or task.started_at > since
