"""Follows the Pods of an owner: by a watch from a list's version on, and by a list now and then.

What is seen goes to ``ends``; here nothing is judged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from leoflow_controlplane.executor.cluster.calls import OPENED, Calls, Object, list_pages
from leoflow_controlplane.executor.cluster.ends import Ends
from leoflow_controlplane.executor.cluster.fault import Away, CallFailed, Gone, Unauthorized
from leoflow_controlplane.executor.cluster.pace import pause
from leoflow_controlplane.executor.cluster.tidying import Seen, Tidying
from leoflow_controlplane.executor.cluster.viewing import find_holders, is_as_old, read_view
from leoflow_controlplane.executor.protocol import Figures

# A watch tells everything; a list finds what it did not, and Pods that are nobody's.
LIST_SECONDS = 60.0
# Who ends a watch sooner is not asked again at once: it may be a proxy that cannot do it.
SHORT_SECONDS = 1.0

logger = logging.getLogger("leoflow.executor.kubernetes")


class Watch:
    """Tells ``ends`` what becomes of the Pods that ``selector`` selects. ``trouble`` says what
    keeps the API server from being used."""

    def __init__(
        self, calls: Calls, selector: str, ends: Ends, tidying: Tidying, figures: Figures
    ) -> None:
        self.ends = ends
        self.trouble: str | None = None
        self._calls = calls
        self._selector = selector
        self._tidying = tidying
        self._figures = figures
        self._look_now = asyncio.Event()
        # As of which version all Pods were looked at last.
        self._seen_version = ""

    def open(self) -> None:
        """Begin to look, until ``ends`` is closed."""
        self.ends.spawn(self._follow())
        self.ends.spawn(self._list_regularly())

    def look_soon(self) -> None:
        """Look at all Pods again: what is looked after from now on may have ended already."""
        self._look_now.set()

    def look_for(self, pod: Object) -> None:
        """Look at all Pods again if one whose creation was answered was not seen when they were
        looked at last, and was there before: it was gone by then, and no watch tells."""
        if is_as_old(pod["metadata"].get("resourceVersion", ""), self._seen_version):
            self.look_soon()

    def note_answer(self) -> None:
        """Note that the API server answers."""
        self.trouble = None

    def note_away(self, fault: Away) -> None:
        """Note that the API server does not answer."""
        self._figures.engine_errors += 1
        # Where it is, is the log's to say.
        trouble = (
            "the Kubernetes API server does not take this process's credentials"
            if isinstance(fault, Unauthorized)
            else "the Kubernetes API server does not answer"
        )
        if trouble != self.trouble:
            logger.warning("%s, trying again: %s", trouble, fault.words)
        self.trouble = trouble

    async def _follow(self) -> None:
        version, attempt = "", 0
        while True:
            began = time.monotonic()
            try:
                if not version:
                    version = await self._reconcile()
                async for event in self._calls.watch_pods(self._selector, version):
                    if event.kind == OPENED:
                        self.note_answer()
                        continue
                    attempt = 0
                    version = event.object["metadata"]["resourceVersion"]
                    if event.kind != "BOOKMARK":
                        self._take(event.kind, event.object)
                if time.monotonic() - began >= SHORT_SECONDS:
                    continue
            except Gone:
                version = ""
            except Away as fault:
                self.note_away(fault)
            except CallFailed as fault:
                logger.warning("Pods cannot be watched, trying again: %s", fault.words)
                version = ""
            await asyncio.sleep(pause(attempt))
            attempt += 1

    async def _list_regularly(self) -> None:
        seconds, attempt = LIST_SECONDS, 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._look_now.wait()
            self._look_now.clear()
            try:
                await self._reconcile()
                seconds, attempt = LIST_SECONDS, 0
                continue
            except Away as fault:
                self.note_away(fault)
            except CallFailed as fault:
                logger.warning("Pods cannot be listed, trying again: %s", fault.words)
            # An end that no watch tells has nothing else that tells it.
            seconds = min(LIST_SECONDS, pause(attempt))
            attempt += 1

    async def _reconcile(self) -> str:
        """Look at all Pods; give the version of what was seen."""
        asked_for = {name: live for name, live in self.ends.live.items() if live.started}
        seen: dict[str, Seen] = {}
        uids: set[str] = set()
        version = ""
        async for page in list_pages(self._calls, self._selector):
            version = page.version
            for pod in page.items:
                if (view := read_view(pod)) is not None:
                    seen[view.name] = Seen(view.uid, view.deleting, find_holders(pod, view))
                    uids.add(view.uid)
                    self.ends.update(view)
        self.note_answer()
        if not is_as_old(version, self._seen_version):
            # Another look that began later may have ended before.
            self._seen_version = version
        for live in [live for live in self.ends.live.values() if live.started]:
            # Somebody may have put another Pod of this name into its place.
            if live.view is None or live.view.uid in uids:
                continue
            if asked_for.get(live.name) is live:
                self.ends.vanish(live)
            elif is_as_old(live.view.version, version):
                self.look_soon()
        self._tidying.look(seen, self.ends.live)
        return version

    def _take(self, kind: str, pod: Object) -> None:
        live = self.ends.live.get(pod["metadata"].get("name"))
        if kind != "DELETED" and (live is None or live.told.is_set()):
            # The larger half of what is told is of Pods whose agents have told their ends.
            return
        view = read_view(pod)
        if view is None:
            return
        if kind != "DELETED":
            self.ends.update(view)
            return
        self._tidying.forget(view.name)
        self.ends.take_deleted(view)
