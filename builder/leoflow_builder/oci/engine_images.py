"""The images of an engine, in the few calls that an unchanged or a changed DAG takes.

Over the engine's own socket with the standard library alone: either client library takes longer
to import than such a build takes. An engine that is reached otherwise is `engine_client`'s.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_host import engine_host

API = "/v1.41"
ANSWER_SECONDS = 60.0
LOAD_SECONDS = 1800.0


class ImageFacts(NamedTuple):
    """What an engine says of an image. ``diff_ids`` are its layers', from the bottom up."""

    image_id: str
    diff_ids: tuple[str, ...]


class EngineImages(Protocol):
    """What a build asks of an engine's images; EngineError if it does not answer."""

    @property
    def host(self) -> str:
        """The engine's address, by which one engine is told from another."""
        ...

    def find(self, reference: str) -> ImageFacts | None:
        """Return what is known of an image, by its name or id; None if there is none."""
        ...

    def tag(self, image_id: str, reference: str) -> None:
        """Give an image one more name, "REPOSITORY:TAG"."""
        ...

    def load(self, archive: Iterable[bytes]) -> None:
        """Read images out of an archive; EngineError if the engine cannot."""
        ...

    def save(self, reference: str) -> Iterator[bytes]:
        """Give an image as an archive, piece by piece."""
        ...


def open_images() -> EngineImages:
    """Return the images of the engine that the `docker` command would talk to."""
    host = engine_host(os.environ, Path.home())
    if host.startswith("unix://"):
        return SocketImages(host)
    from leoflow_builder.oci.engine_client import ClientImages

    return ClientImages(host)


class SocketImages:
    """The images of an engine that listens on a Unix socket, "unix:///path"."""

    def __init__(self, host: str) -> None:
        self.host = host

    def find(self, reference: str) -> ImageFacts | None:
        """See `EngineImages`."""
        with self._answer("GET", f"/images/{quote(reference, safe='/:@')}/json") as answer:
            if answer.status == 404:
                return None
            document = json.loads(_checked(answer, f"looking for the image '{reference}'"))
        return ImageFacts(document["Id"], tuple(document["RootFS"].get("Layers") or ()))

    def tag(self, image_id: str, reference: str) -> None:
        """See `EngineImages`."""
        repository, _, tag = reference.rpartition(":")
        path = f"/images/{quote(image_id, safe=':')}/tag?repo={quote(repository)}&tag={quote(tag)}"
        with self._answer("POST", path) as answer:
            _checked(answer, f"tagging an image as '{reference}'")

    def load(self, archive: Iterable[bytes]) -> None:
        """See `EngineImages`."""
        with self._answer("POST", "/images/load?quiet=1", archive, LOAD_SECONDS) as answer:
            said = _checked(answer, "loading the image into the engine")
        raise_for_errors(said.splitlines())

    def save(self, reference: str) -> Iterator[bytes]:
        """See `EngineImages`."""
        path = f"/images/{quote(reference, safe='/:@')}/get"
        with self._answer("GET", path, seconds=LOAD_SECONDS) as answer:
            if answer.status != 200:
                _checked(answer, f"reading the image '{reference}'")
            while piece := answer.read(1 << 20):
                yield piece

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: Iterable[bytes] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _SocketConnection(urlsplit(self.host).path, seconds)
        headers = {} if body is None else {"Content-Type": "application/x-tar"}
        try:
            connection.request(method, API + path, body, headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(self._unreachable(error)) from None
        finally:
            connection.close()

    def _unreachable(self, error: Exception) -> str:
        if isinstance(error, PermissionError):
            return (
                f"this user may not talk to the engine at '{self.host}'. Let it reach the socket, "
                "for example by the group 'docker'"
            )
        return (
            f"no container engine answers at '{self.host}': {error or type(error).__name__}. Start "
            "it, point DOCKER_HOST at one, or build without one: --output or --push"
        )


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _checked(answer: http.client.HTTPResponse, what: str) -> bytes:
    said = answer.read()
    if answer.status >= 400:
        raise EngineError(f"{what} failed: {_message(said)}")
    return said


def _message(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said.decode(errors="replace").strip()


def raise_for_errors(lines: Iterable[bytes]) -> None:
    """Raise EngineError if one of the lines that a load is answered with tells an error."""
    for line in lines:
        try:
            error = json.loads(line).get("error")
        except (ValueError, AttributeError):
            continue
        if error:
            raise EngineError(f"the engine cannot load the image: {error}{_advice(str(error))}")


def _advice(error: str) -> str:
    return ". Free some space on the engine's disk" if "no space left" in error else ""
