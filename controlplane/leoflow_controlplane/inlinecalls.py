"""Answer the tries that pay no container: http_api tasks that run in the control plane. Writes down
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from leoflow_controlplane.observer import Observer
from leoflow_controlplane.secretsource import SecretSource, find_missing, find_secrets
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.verdict import Verdict
from leoflow_controlplane.workload import Dispatch

if TYPE_CHECKING:
    from leoflow_controlplane.inline import InlineOutcome, InlineRunner


class InlineCalls:
    """Calls for tries. What sends requests is imported when the first is to be sent: it takes
    longest, and many control planes send none."""

    def __init__(self, settings: Settings, secrets: SecretSource, observer: Observer) -> None:
        self._settings = settings
        self._secrets = secrets
        self._observer = observer
        self._runner: InlineRunner | None = None

    async def answer(self, dispatch: Dispatch, say: Callable[[str], None]) -> InlineOutcome:
        """Have the conversation of a try; ``say`` takes the lines of its log."""
        runner = await self._open()
        from leoflow_controlplane.inline import InlineOutcome, InlineTask

        if missing := find_missing(dispatch.task, self._secrets):
            return InlineOutcome(Verdict("failed", "\n".join(missing), retryable=False))
        request = dispatch.inputs["request"]
        assert request is not None
        secrets = find_secrets(dispatch.task, self._secrets)
        environment = {**dispatch.dag.environment, **dispatch.inputs["environment"], **secrets}
        return await runner.run(InlineTask(dispatch.task, request, environment, say))

    async def close(self) -> None:
        """Close the connections."""
        if self._runner is not None:
            await self._runner.close()

    async def _open(self) -> InlineRunner:
        if self._runner is None:
            inline = await asyncio.to_thread(import_module, "leoflow_controlplane.inline")
            # Another call may have waited for the same.
            if self._runner is None:
                self._runner = inline.InlineRunner(self._settings, observer=self._observer)
        return self._runner
