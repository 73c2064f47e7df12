"""The images of an engine that is reached by TCP, through the docker library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_images import (
    LOAD_SECONDS,
    ImageFacts,
    has_containerd_store,
    raise_for_errors,
)
from leoflow_builder.oci.engine_socket import Archive

if TYPE_CHECKING:
    from docker import APIClient


class ClientImages:
    """The images of an engine at any address that the docker library takes.

    ``environment`` has Docker's variables: DOCKER_HOST, and for TLS DOCKER_CERT_PATH and
    DOCKER_TLS_VERIFY.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.host = environment["DOCKER_HOST"]

    def require(self) -> None:
        """See `EngineImages`."""
        with _explained(f"asking the engine at '{self.host}' whether it is there"):
            self._client.ping()

    def stores_manifests(self) -> bool:
        """See `EngineImages`."""
        with _explained("asking the engine for its image store"):
            return has_containerd_store(self._client.info())

    def find(self, reference: str) -> ImageFacts | None:
        """See `EngineImages`."""
        from docker.errors import ImageNotFound

        with _explained(f"looking for the image '{reference}'"):
            try:
                document = self._client.inspect_image(reference)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return None
        return ImageFacts(document["Id"], tuple(document["RootFS"].get("Layers") or ()))

    def tag(self, image_id: str, reference: str) -> None:
        """See `EngineImages`."""
        repository, _, tag = reference.rpartition(":")
        with _explained(f"tagging an image as '{reference}'"):
            self._client.tag(image_id, repository, tag)

    def remove(self, reference: str) -> None:
        """See `EngineImages`."""
        from docker.errors import ImageNotFound

        with _explained(f"removing the image '{reference}'"), suppress(ImageNotFound):
            self._client.remove_image(reference)

    def load(self, archive: Archive) -> None:
        """See `EngineImages`."""
        with _explained("loading the image into the engine"):
            answers = self._client.load_image(archive.pieces, quiet=True)  # type: ignore[no-untyped-call]
            said = list(answers)
        for one in said:
            raise_for_errors([str(one).encode() if not isinstance(one, dict) else _line(one)])

    def save(self, reference: str) -> Iterator[bytes]:
        """See `EngineImages`."""
        with _explained(f"reading the image '{reference}'"):
            yield from self._client.get_image(reference)

    @cached_property
    def _client(self) -> APIClient:
        from docker import APIClient
        from docker.utils import kwargs_from_env

        with _explained("reaching the engine"):
            settings = kwargs_from_env(self._environment)
            return APIClient(**settings, version="auto", timeout=int(LOAD_SECONDS))


def _line(document: dict[str, object]) -> bytes:
    import json

    return json.dumps(document).encode()


@contextmanager
def _explained(what: str) -> Iterator[None]:
    from docker.errors import APIError, DockerException
    from requests import RequestException

    try:
        yield
    except APIError as error:
        raise EngineError(f"{what} failed: {error.explanation or error}") from None
    except (DockerException, RequestException) as error:
        raise EngineError(
            f"{what} failed: {error}. Start the engine, or point DOCKER_HOST at one"
        ) from None
