"""The Docker engine's API in the few calls that an executor needs. Blocking: for threads only.

The one module that imports the docker client, and only when an engine is opened.
"""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

from leoflow_controlplane.error import ExecutorUnusable, LaunchFailed

TIMEOUT_SECONDS = 60
CONNECTIONS = 16
LOCK_SECONDS = 2.0
_KILLED = 137
_TAR_BYTES = 64 * 1024
_OOM_FLAG_DELAY_SECONDS = 0.2


class EngineUnreachable(ExecutorUnusable):
    """The engine did not answer, or not as an engine does; a later call may work."""


class Found(NamedTuple):
    """A container in a list. ``ended``: it will not run any more."""

    name: str
    labels: dict[str, str]
    ended: bool


class End(NamedTuple):
    """How a container ended; instants are seconds since the epoch."""

    exit_code: int
    oom_killed: bool
    error: str | None
    started_at: float | None
    ended_at: float | None


class Engine:
    """A connection to an engine. Its calls may be made from several threads at once."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._stream: Any = None
        self._closing = False
        self._lock = threading.Lock()

    @property
    def is_local(self) -> bool:
        """Say whether the engine is reached by a socket of this machine."""
        return str(self._client.base_url).startswith("http+docker://")

    def is_desktop(self) -> bool:
        """Say whether the engine runs in Docker Desktop's virtual machine."""
        with _translated():
            return "Docker Desktop" in str(self._client.info().get("OperatingSystem"))

    def create_and_start(self, name: str, body: dict[str, Any]) -> float:
        """Create a container and start it; return the instant between. Raises LaunchFailed."""
        with _launching(body["Image"]):
            self._create(name, body)
            created_at = time.time()
            try:
                self._client.start(name)
            except BaseException:
                self.remove(name)
                raise
        return created_at

    def kill(self, name: str, signal: str) -> None:
        """Send a signal; harmless when the container has ended."""
        with _translated(404, 409):
            self._client.kill(name, signal)

    def remove(self, name: str) -> None:
        """Remove a container, even if it runs; harmless when there is none."""
        with _translated(404, 409):
            self._client.remove_container(name, force=True, v=True)

    def list(self, label: str) -> list[Found]:
        """List the containers with ``label`` (NAME=VALUE), ended ones too."""
        with _translated():
            found = self._client.containers(all=True, filters={"label": label})
        return [
            Found(item["Names"][0].lstrip("/"), item["Labels"], item["State"] in ("exited", "dead"))
            for item in found
            if item["Names"]
        ]

    def read_end(self, name: str) -> End | None:
        """Read how a container ended, waiting for it if it has not; None if it is not there."""
        with _translated(404):
            state = self._client.inspect_container(name)["State"]
            if state["Running"]:
                self._client.wait(name, timeout=TIMEOUT_SECONDS)
                state = self._client.inspect_container(name)["State"]
            if state["ExitCode"] == _KILLED and not state["OOMKilled"]:
                # The flag may follow the end by a moment.
                time.sleep(_OOM_FLAG_DELAY_SECONDS)
                state = self._client.inspect_container(name)["State"]
            return _end(state)
        return None

    def tail(self, name: str, lines: int) -> str | None:
        """Give the last lines of a container's output, None if there are none."""
        with _translated(404, 409):
            output = self._client.logs(name, tail=lines)
            return output.decode("utf-8", "replace") or None
        return None

    def read_file(self, name: str, path: str, limit_bytes: int) -> bytes | None:
        """Read a file of a container, which may have ended; None if there is none or it is longer
        than ``limit_bytes``."""
        with _translated(404):
            stream, found = self._client.get_archive(name, path)
            with closing(stream):
                if found["size"] > limit_bytes:
                    return None
                archive = bytearray()
                for chunk in stream:
                    archive += chunk
                    if len(archive) > limit_bytes + _TAR_BYTES:
                        return None
            return _only_file(bytes(archive))
        return None

    def listen(
        self, label: str, opened: Callable[[], Any], take: Callable[[str, str], Any]
    ) -> None:
        """Call ``take(name, action)`` for each end of a container until the stream breaks.

        ``opened`` is called once no event can be missed any more. Raises EngineUnreachable.
        """
        filters = {"type": "container", "event": ["die", "oom"], "label": label}
        with _translated():
            with self._lock:
                if self._closing:
                    return
                self._stream = self._client.events(filters=filters)
            opened()
            for event in _events(self._stream):
                take(event["Actor"]["Attributes"]["name"], event["Action"])

    def stop_listening(self) -> None:
        """End `listen`, which then returns, and let no other begin."""
        self._closing = True
        # An engine that hangs while a stream is opened must not hold the end up.
        if self._lock.acquire(timeout=LOCK_SECONDS):
            self._lock.release()
        if self._stream is not None:
            with suppress(Exception):
                self._stream.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _create(self, name: str, body: dict[str, Any]) -> None:
        from docker.errors import APIError

        try:
            self._client.create_container_from_config(body, name)
        except APIError as error:
            if error.status_code != 409:
                raise
            # The same try was created before, in a call whose answer was lost.
            self.remove(name)
            self._client.create_container_from_config(body, name)


def open_engine() -> Engine:
    """Connect to the engine that DOCKER_HOST names, or the local one; ExecutorUnusable if none."""
    import docker
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    settings = kwargs_from_env()
    try:
        client = docker.APIClient(
            **settings, version="auto", timeout=TIMEOUT_SECONDS, max_pool_size=CONNECTIONS
        )
    except DockerException as error:
        place = settings.get("base_url", "its default address")
        raise ExecutorUnusable(
            f"no Docker engine answers at '{place}': {error}. Start one, set DOCKER_HOST, or run "
            "without containers: --executor subprocess."
        ) from error
    return Engine(client)


@contextmanager
def _translated(*harmless: int) -> Iterator[None]:
    """Turn what the client raises into EngineUnreachable; let ``harmless`` statuses pass."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        if error.status_code not in harmless:
            raise EngineUnreachable(_text(error)) from error
    except (DockerException, RequestException, OSError) as error:
        raise EngineUnreachable(_innermost(error)) from error


@contextmanager
def _launching(image: str) -> Iterator[None]:
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise _refusal(image, error.status_code or 500, _text(error)) from error
    except (DockerException, RequestException, EngineUnreachable, OSError) as error:
        reason = f"the Docker engine did not answer: {error}"
        raise LaunchFailed(reason, transient=True) from error


def _refusal(image: str, status: int, text: str) -> LaunchFailed:
    if status == 404 and "image" in text.lower():
        return LaunchFailed(
            f"image '{image}' is not on this Docker engine. Build it with 'leoflow build', with "
            "DOCKER_HOST naming the same engine.",
            transient=False,
        )
    if "bind source path does not exist" in text:
        return LaunchFailed(
            f"the Docker engine does not see this machine's files ({text}). Set LEOFLOW_AGENT_URL "
            "to an address at which containers reach this process.",
            transient=False,
        )
    return LaunchFailed(f"the Docker engine refused the container: {text}", transient=status >= 500)


def _only_file(archive: bytes) -> bytes | None:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.next()
            file = tar.extractfile(member) if member is not None and member.isfile() else None
            return None if file is None else file.read()
    except tarfile.TarError:
        return None


def _innermost(error: BaseException) -> str:
    """Give the operating system's words, which HTTP libraries wrap into one another."""
    found: BaseException | None = error
    seen: list[BaseException] = []
    while found is not None and found not in seen:
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        seen.append(found)
        inner = [one for one in found.args if isinstance(one, BaseException)]
        found = found.__cause__ or found.__context__ or (inner[0] if inner else None)
    return str(error)


def _text(error: Any) -> str:
    return str(error.explanation or error)


def _events(stream: Any) -> Iterator[dict[str, Any]]:
    rest = b""
    for chunk in stream:
        rest += chunk
        *lines, rest = rest.split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())


def _end(state: dict[str, Any]) -> End:
    return End(
        exit_code=int(state["ExitCode"]),
        oom_killed=bool(state["OOMKilled"]),
        error=state.get("Error") or None,
        started_at=read_instant(state["StartedAt"]),
        ended_at=read_instant(state["FinishedAt"]),
    )


def read_instant(text: str) -> float | None:
    """Read the engine's RFC 3339 instant with nanoseconds; None for its zero value."""
    if text.startswith("0001-"):
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")
