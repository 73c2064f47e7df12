"""Runs the containers of Pods in a Docker engine: the image, the command, the variables, the user,
the read-only root and the memory are the Pod's; its network is the host's.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException

from emulator.podstatus import Outcome
from emulator.runtime import StartFailed, variables_of
from emulator.store import Object

MESSAGE_PATH, MESSAGE_BYTES = "/dev/termination-log", 4096
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


class EngineRuntime:
    """Starts containers in the engine that DOCKER_HOST names. Their messages lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._client: Any = docker.from_env(timeout=600)
        self._folder = folder

    async def start(self, pod: Object) -> EngineContainer:
        """Start the Pod's first container. Raises StartFailed."""
        file, name = tempfile.mkstemp(dir=self._folder)
        os.close(file)
        message = Path(name)
        message.chmod(0o666)
        try:
            container = await asyncio.to_thread(self._run, pod, message)
        except DockerException as error:
            raise StartFailed(str(getattr(error, "explanation", None) or error)) from None
        return EngineContainer(container, message)

    async def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _run(self, pod: Object, message: Path) -> Any:
        spec = pod["spec"]["containers"][0]
        security = {
            **(pod["spec"].get("securityContext") or {}),
            **(spec.get("securityContext") or {}),
        }
        scratch = {
            mount["mountPath"]: "mode=1777"
            for mount in spec.get("volumeMounts") or ()
            for volume in pod["spec"].get("volumes") or ()
            if volume["name"] == mount["name"] and "emptyDir" in volume
        }
        limits = (spec.get("resources") or {}).get("limits") or {}
        options: dict[str, Any] = {}
        if "memory" in limits:
            options["mem_limit"] = options["memswap_limit"] = _bytes(limits["memory"])
        if "command" in spec:
            options["entrypoint"] = spec["command"]
        return self._client.containers.run(
            spec["image"],
            spec.get("args"),
            name=f"k8s-{pod['metadata']['uid']}",
            environment=variables_of(pod),
            user=f"{security.get('runAsUser', 65532)}:{security.get('runAsGroup', 65532)}",
            read_only=bool(security.get("readOnlyRootFilesystem")),
            volumes={str(message): {"bind": MESSAGE_PATH, "mode": "rw"}},
            tmpfs=scratch,
            cap_drop=["ALL"],
            network_mode="host",
            detach=True,
            **options,
        )


class EngineContainer:
    """A container in the engine."""

    def __init__(self, container: Any, message: Path) -> None:
        self._container = container
        self._message = message
        self._end = asyncio.create_task(self._wait())

    async def ended(self) -> Outcome:
        """Wait for its end."""
        return await asyncio.shield(self._end)

    async def signal(self, name: str) -> None:
        """Send a signal."""
        try:
            await asyncio.to_thread(self._container.kill, name)
        except APIError:
            return

    async def log(self) -> bytes:
        """Give what it wrote."""
        return bytes(await asyncio.to_thread(self._container.logs))

    async def remove(self) -> None:
        """Remove it."""
        await asyncio.to_thread(self._container.remove, force=True)
        await asyncio.wait([self._end])
        self._message.unlink(missing_ok=True)

    async def _wait(self) -> Outcome:
        code = int((await asyncio.to_thread(self._container.wait))["StatusCode"])
        await asyncio.to_thread(self._container.reload)
        message = self._message.read_text("utf-8", "replace")[:MESSAGE_BYTES] or None
        killed = self._container.attrs["State"]["OOMKilled"]
        return Outcome(code, "OOMKilled" if killed else None, message)


def _bytes(quantity: str) -> int:
    for unit, size in UNITS.items():
        if quantity.endswith(unit):
            return int(float(quantity.removesuffix(unit)) * size)
    return int(quantity)
