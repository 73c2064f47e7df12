"""The Docker engine's API in the few calls that an executor needs. Blocking: for threads only.

The one module that imports the docker client, and only when an engine is opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.docker.archive import only_file, open_folder
from leoflow_controlplane.executor.docker.ending import End, read_state
from leoflow_controlplane.executor.docker.enginepull import Report, read_pull
from leoflow_controlplane.executor.docker.eventstream import EventStream
from leoflow_controlplane.executor.docker.fault import NoEngine, innermost, launching, translated
from leoflow_controlplane.tryenvironment import STAGING_FOLDER

DEFAULT_HOST = "unix:///var/run/docker.sock"
TIMEOUT_SECONDS = 60
CONNECTIONS = 16
_KILLED = 137
_TAR_BYTES = 64 * 1024
_OOM_FLAG_DELAY_SECONDS = 0.2


class Found(NamedTuple):
    """A container in a list; ``state`` in the engine's words."""

    name: str
    labels: Mapping[str, str]
    state: str

    @property
    def ended(self) -> bool:
        """Whether it will not run any more."""
        return self.state in ("exited", "dead")


class Volume(NamedTuple):
    """A volume in a list."""

    name: str
    labels: Mapping[str, str]


class Begun(NamedTuple):
    """A container that was started. ``created_at`` None: it had been created before."""

    created_at: float | None
    ended: bool


class Engine:
    """A connection to an engine. Its calls may be made from several threads at once."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._events = EventStream(client)

    @property
    def is_local(self) -> bool:
        """Say whether the engine is reached by a socket of this machine."""
        return str(self._client.base_url).startswith("http+docker://")

    def is_desktop(self) -> bool:
        """Say whether the engine runs in Docker Desktop's virtual machine."""
        with translated():
            return "Docker Desktop" in str(self._client.info().get("OperatingSystem"))

    def create_and_start(self, name: str, body: Mapping[str, Any]) -> Begun:
        """Create a container and start it, each unless that was done before.

        Raises LaunchFailed, which leaves nothing behind that it has created; NoAnswer, which may;
        ImageMissing. One that was there may run, whatever the engine says of it, and stays.
        """
        with launching(body["Image"]):
            if not self._create(name, body):
                return Begun(None, ended=self._start(name))
            created_at = time.time()
            mounts = body["HostConfig"].get("Mounts", ())
            try:
                self._run(name, (mount["Target"] for mount in mounts))
            except self._api_error():
                self.remove(name)
                raise
            return Begun(created_at, ended=False)

    def start(self, name: str) -> bool:
        """Start a container that was only created; say whether it has ended already.

        Raises EngineUnreachable, also if it cannot be started.
        """
        with translated():
            return self._start(name)
        raise AssertionError("unreachable")

    def pull(self, image: str, seconds: float, report: Report, stream: list[Any]) -> None:
        """Pull an image; what can cut that short is put into ``stream``. Raises LaunchFailed."""
        read_pull(self._client, image, seconds, report, stream)

    def kill(self, name: str, signal: str) -> None:
        """Send a signal; harmless when the container has ended."""
        with translated(404, 409):
            self._client.kill(name, signal)

    def remove(self, name: str) -> None:
        """Remove a container, even if it runs; harmless when there is none."""
        with translated(404, 409):
            self._client.remove_container(name, force=True, v=True)

    def list_containers(self, *labels: str) -> list[Found]:
        """List the containers with all of ``labels`` (NAME=VALUE), ended ones too."""
        with translated():
            found = self._client.containers(all=True, filters={"label": list(labels)})
        return [
            Found(item["Names"][0].lstrip("/"), item["Labels"], item["State"])
            for item in found
            if item["Names"]
        ]

    def list_volumes(self, *labels: str) -> list[Volume]:
        """List the volumes with all of ``labels`` (NAME=VALUE)."""
        with translated():
            found = self._client.volumes(filters={"label": list(labels)})["Volumes"]
        return [Volume(item["Name"], item["Labels"] or {}) for item in found or ()]

    def remove_volume(self, name: str) -> bool:
        """Remove a volume; harmless when there is none. Say no if a container still has it."""
        from docker.errors import APIError

        with translated(404):
            try:
                self._client.remove_volume(name)
            except APIError as error:
                if error.status_code != 409:
                    raise
                return False
        return True

    def read_end(self, name: str) -> End | None:
        """Read how a container ended, waiting for it if it has not; None if it is not there."""
        with translated(404):
            state = self._client.inspect_container(name)["State"]
            if state["Running"]:
                self._client.wait(name, timeout=TIMEOUT_SECONDS)
                state = self._client.inspect_container(name)["State"]
            if state["ExitCode"] == _KILLED and not state["OOMKilled"]:
                # The flag may follow the end by a moment.
                time.sleep(_OOM_FLAG_DELAY_SECONDS)
                state = self._client.inspect_container(name)["State"]
            return read_state(state)
        return None

    def tail(self, name: str, lines: int) -> str | None:
        """Give the last lines of a container's output, None if there are none."""
        with translated(404, 409):
            output = self._client.logs(name, tail=lines)
            return output.decode("utf-8", "replace") or None
        return None

    def read_file(self, name: str, path: str, limit_bytes: int) -> bytes | None:
        """Read a file of a container, which may have ended; None if there is none or it is longer
        than ``limit_bytes``."""
        with translated(404):
            stream, found = self._client.get_archive(name, path)
            with closing(stream):
                if found["size"] > limit_bytes:
                    return None
                archive = bytearray()
                for chunk in stream:
                    archive += chunk
                    if len(archive) > limit_bytes + _TAR_BYTES:
                        return None
            return only_file(bytes(archive))
        return None

    def listen(
        self, labels: Sequence[str], opened: Callable[[], Any], take: Callable[[str, str], Any]
    ) -> None:
        """Call ``take(name, action)`` for each end of a container until the stream breaks.

        ``opened`` is called once no event can be missed any more. Raises EngineUnreachable.
        """
        self._events.follow(labels, opened, take)

    def stop_listening(self) -> None:
        """End `listen`, which then returns, and let no other begin."""
        self._events.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _create(self, name: str, body: Mapping[str, Any]) -> bool:
        """Create a container; say no if it was there. LaunchFailed if that is another's."""
        from docker.errors import APIError

        try:
            self._client.create_container_from_config(dict(body), name)
        except APIError as error:
            if error.status_code != 409:
                raise
            labels = self._client.inspect_container(name)["Config"]["Labels"] or {}
            if not body["Labels"].items() <= labels.items():
                raise LaunchFailed(
                    f"a container called '{name}' is there already, and it is not of this try. "
                    f"Remove it: docker rm -f {name}",
                    transient=False,
                ) from None
            return False
        return True

    def _start(self, name: str) -> bool:
        found = self._client.inspect_container(name)
        status = found["State"]["Status"]
        if status == "created":
            self._run(name, (mount["Destination"] for mount in found["Mounts"]))
        return status in ("exited", "dead", "removing")

    def _run(self, name: str, targets: Iterable[str]) -> None:
        if STAGING_FOLDER in targets:
            self._client.put_archive(name, "/", open_folder(STAGING_FOLDER))
        self._client.start(name)

    @staticmethod
    def _api_error() -> type[Exception]:
        from docker.errors import APIError

        error: type[Exception] = APIError
        return error


def open_engine(environment: Mapping[str, str] | None = None) -> Engine:
    """Connect to the engine that DOCKER_HOST names, or the local one; NoEngine if none answers.

    ``environment`` has Docker's variables, if they are not to be those of this process.
    """
    import docker
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    environment = os.environ if environment is None else environment
    place = environment.get("DOCKER_HOST") or DEFAULT_HOST
    try:
        settings = kwargs_from_env(environment)
        client = docker.APIClient(
            **settings, version="auto", timeout=TIMEOUT_SECONDS, max_pool_size=CONNECTIONS
        )
    except DockerException as error:
        raise NoEngine(place, innermost(error)) from error
    return Engine(client)
