"""The images of an engine, in the few calls that an unchanged or a changed DAG takes.

Over the engine's own socket with the standard library alone: either client library takes longer
to import than such a build takes. An engine that is reached otherwise is `engine_client`'s.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_place import HOST, find_engine
from leoflow_builder.oci.engine_socket import Answer, Archive, ask

API = "/v1.41"
_CONTAINERD = "io.containerd.snapshotter"
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

    def require(self) -> None:
        """Raise EngineError if the engine does not answer."""
        ...

    def stores_manifests(self) -> bool:
        """Tell whether the engine keeps images as registries do (the containerd image store)."""
        ...

    def find(self, reference: str) -> ImageFacts | None:
        """Return what is known of an image, by its name or id; None if there is none."""
        ...

    def tag(self, image_id: str, reference: str) -> None:
        """Give an image one more name, "REPOSITORY:TAG"."""
        ...

    def remove(self, reference: str) -> None:
        """Take a name away, if it is there; what no other name needs goes with it."""
        ...

    def load(self, archive: Archive) -> None:
        """Read images out of an archive; EngineError if the engine cannot.

        An archive that lacks a blob can leave its name behind, for an image that does not work.
        """
        ...

    def save(self, reference: str) -> Iterator[bytes]:
        """Give an image as an archive, piece by piece."""
        ...


def open_images() -> EngineImages:
    """Return the images of the engine that the `docker` command would talk to."""
    found = find_engine(os.environ, Path.home())
    if found[HOST].startswith("unix://"):
        return SocketImages(found[HOST])
    from leoflow_builder.oci.engine_client import ClientImages

    return ClientImages(found)


class SocketImages:
    """The images of an engine that listens on a Unix socket, "unix:///path"."""

    def __init__(self, host: str) -> None:
        self.host = host

    def require(self) -> None:
        """See `EngineImages`."""
        with self._call("GET", "/_ping") as answer:
            answer.checked(f"asking the engine at '{self.host}' whether it is there")

    def stores_manifests(self) -> bool:
        """See `EngineImages`."""
        with self._call("GET", "/info") as answer:
            said = answer.checked("asking the engine for its image store")
        return has_containerd_store(json.loads(said))

    def find(self, reference: str) -> ImageFacts | None:
        """See `EngineImages`."""
        with self._call("GET", f"/images/{quote(reference, safe='/:@')}/json") as answer:
            if answer.status == 404:
                return None
            document = json.loads(answer.checked(f"looking for the image '{reference}'"))
        return ImageFacts(document["Id"], tuple(document["RootFS"].get("Layers") or ()))

    def tag(self, image_id: str, reference: str) -> None:
        """See `EngineImages`."""
        repository, _, tag = reference.rpartition(":")
        path = f"/images/{quote(image_id, safe=':')}/tag?repo={quote(repository)}&tag={quote(tag)}"
        with self._call("POST", path) as answer:
            answer.checked(f"tagging an image as '{reference}'")

    def remove(self, reference: str) -> None:
        """See `EngineImages`."""
        with self._call("DELETE", f"/images/{quote(reference, safe='/:@')}") as answer:
            if answer.status != 404:
                answer.checked(f"removing the image '{reference}'")

    def load(self, archive: Archive) -> None:
        """See `EngineImages`."""
        with self._call("POST", "/images/load?quiet=1", archive) as answer:
            said = answer.checked("loading the image into the engine")
        raise_for_errors(said.splitlines())

    def save(self, reference: str) -> Iterator[bytes]:
        """See `EngineImages`."""
        with self._call("GET", f"/images/{quote(reference, safe='/:@')}/get") as answer:
            if answer.status != 200:
                answer.checked(f"reading the image '{reference}'")
            yield from answer.pieces()

    @contextmanager
    def _call(self, method: str, path: str, body: Archive | None = None) -> Iterator[Answer]:
        seconds = ANSWER_SECONDS if method == "GET" and path.endswith("/json") else LOAD_SECONDS
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(seconds)
                connection.connect(self.host.removeprefix("unix://"))
                with ask(connection, method, API + path, body) as answer:
                    yield answer
        except OSError as error:
            raise EngineError(self._unreachable(error)) from None

    def _unreachable(self, error: OSError) -> str:
        if isinstance(error, PermissionError):
            return (
                f"this user may not talk to the engine at '{self.host}'. Let it reach the socket, "
                "for example by the group 'docker'"
            )
        reason = error.strerror or str(error) or type(error).__name__
        return (
            f"no container engine answers at '{self.host}': {reason}. Start it, point "
            "DOCKER_HOST at one, or build without one: --output or --push"
        )


def has_containerd_store(info: Mapping[str, Any]) -> bool:
    """Tell the image store by what an engine says of itself."""
    return any(_CONTAINERD in part for row in info.get("DriverStatus") or () for part in row)


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
