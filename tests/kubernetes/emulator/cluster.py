"""A whole emulated cluster on a port of loopback, in the loop of whoever makes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from emulator.apiserver import ApiServer
from emulator.fate import FATES
from emulator.fault import Faults
from emulator.kubelet import NODE, Kubelet, declared_fate
from emulator.runtime import PlayedRuntime, Runtime
from emulator.store import Change, Key, Object, Store

NAMESPACE = "leoflow"
BODY_BYTES = 3 * 1024**2


class Cluster:
    """An API server, a scheduler and a kubelet. Open it with `running_cluster`."""

    def __init__(
        self,
        faults: Faults | None = None,
        runtime: Runtime | None = None,
        *,
        choose: Callable[[Object], str] = declared_fate,
        pace_seconds: float = 0.0,
        bookmark_seconds: float = 1.0,
    ) -> None:
        self.store = Store()
        self.faults = faults or Faults()
        self.kubelet = Kubelet(
            self.store, runtime or PlayedRuntime(self._claim_uid), FATES, choose, pace_seconds
        )
        self.api = ApiServer(self.store, self.faults, self.kubelet.log, bookmark_seconds)
        self.port = 0
        self._runner: web.AppRunner | None = None
        self.store.follow(self._give_account)
        self._furnish()

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"http://127.0.0.1:{self.port}"

    def put(self, resource: str, name: str, namespace: str = NAMESPACE, **fields: Any) -> Object:
        """Put an object there that a test needs."""
        kinds = {"namespaces": "", "nodes": "", "priorityclasses": "", "runtimeclasses": ""}
        where = kinds.get(resource, namespace)
        metadata = {"name": name, "uid": f"{resource}-{name}", **fields.pop("metadata", {})}
        if where:
            metadata["namespace"] = where
        return self.store.put(Key(resource, where, name), {"metadata": metadata, **fields})

    def pods(self) -> list[Object]:
        """Give all Pods."""
        return list(self.store.all("pods"))

    def pod(self, name: str) -> Object:
        """Give one Pod of the cluster's namespace."""
        found = self.store.get(Key("pods", NAMESPACE, name))
        assert found is not None, f"there is no Pod '{name}'"
        return found

    def delete(self, name: str, grace_seconds: int = 0) -> None:
        """Delete a Pod as somebody from outside."""
        options = {"gracePeriodSeconds": grace_seconds}
        self.api.delete(Key("pods", NAMESPACE, name), options)

    def write_kubeconfig(self, path: Path) -> Path:
        """Write the file that leads clients here."""
        user = {"token": self.api.token} if self.api.token else {}
        context = {"cluster": "emulated", "user": "tester", "namespace": NAMESPACE}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "emulated",
            "clusters": [{"name": "emulated", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": user}],
            "contexts": [{"name": "emulated", "context": context}],
        }
        path.write_text(json.dumps(document))
        return path

    async def listen(self) -> None:
        """Serve, at the same port as before if there was one."""
        app = web.Application(client_max_size=BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self.api.serve)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def go_away(self) -> None:
        """Cut all connections and listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def restart(self, away_seconds: float = 0.1) -> None:
        """Be away for a time. Objects and versions stay; what was before it is compacted."""
        await self.go_away()
        self.store.compact()
        self.api.lists.forget()
        await asyncio.sleep(away_seconds)
        await self.listen()

    async def close(self) -> None:
        """End everything."""
        await self.go_away()
        await self.kubelet.close()

    def _furnish(self) -> None:
        self.put("namespaces", NAMESPACE)
        self.put("namespaces", "default")
        ready = {"type": "Ready", "status": "True"}
        labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/arch": "amd64"}
        status = {"conditions": [ready], "capacity": {"cpu": "8", "memory": "16Gi"}}
        self.put("nodes", NODE, metadata={"labels": labels}, spec={}, status=status)

    def _give_account(self, change: Change) -> None:
        """Give a new namespace its default service account, as its controller does."""
        if (change.key.resource, change.kind) == ("namespaces", "ADDED"):
            self.put("serviceaccounts", "default", change.key.name)

    def _claim_uid(self, namespace: str, name: str) -> str | None:
        claim = self.store.get(Key("persistentvolumeclaims", namespace, name))
        return None if claim is None else str(claim["metadata"]["uid"])


@asynccontextmanager
async def running_cluster(
    faults: Faults | None = None, runtime: Runtime | None = None, **settings: Any
) -> AsyncIterator[Cluster]:
    """Give a cluster that serves; ``settings`` are those of Cluster."""
    cluster = Cluster(faults, runtime, **settings)
    await cluster.listen()
    try:
        yield cluster
    finally:
        await cluster.close()
