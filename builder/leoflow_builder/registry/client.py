"""What leoflow asks of one registry. Every request is tried again as the policy says.

In which order things are pushed is decided in `push`, what of an image is pulled in `pull`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from leoflow_builder.registry.authorisation import Scopes, scopes_of
from leoflow_builder.registry.connection import Call, Connection
from leoflow_builder.registry.credential import Find, docker_credentials
from leoflow_builder.registry.descriptor import ACCEPTED, Descriptor
from leoflow_builder.registry.digest import digest_of, is_digest
from leoflow_builder.registry.download import Download
from leoflow_builder.registry.failure import DigestMismatch, Refused, RegistryError
from leoflow_builder.registry.image import BlobToPush, ManifestToPush
from leoflow_builder.registry.reference import Reference
from leoflow_builder.registry.retry import Retry
from leoflow_builder.registry.setting import insecure_hosts
from leoflow_builder.registry.sidebyside import Progress
from leoflow_builder.registry.upload import Sent, Upload
from leoflow_builder.scratch import scratch_folder

# The specification asks registries to take 4 MiB; nobody needs a larger one.
_LARGEST_MANIFEST = 4 * 1024 * 1024
_DIGEST_HEADER = "Docker-Content-Digest"


@dataclass(frozen=True)
class FetchedManifest:
    """A manifest or an index as the registry sent it; ``digest`` is computed, not believed."""

    content: bytes
    media_type: str
    digest: str


def tell_nobody(digest: str, done_bytes: int, total_bytes: int) -> None:
    """Ignore progress."""


class Registry:
    """One registry. Thread-safe; use it with `with`, or close it.

    ``host`` is that of a `Reference`. ``insecure`` is plain HTTP; by default what
    LEOFLOW_INSECURE_REGISTRIES says of the host. ``credentials`` are looked up when the registry
    first asks for a login. ``timeout_seconds`` is how long the registry may be silent.
    """

    def __init__(
        self,
        host: str,
        credentials: Find | None = None,
        insecure: bool | None = None,
        retry: Retry | None = None,
        timeout_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.host = host
        self._retry = retry or Retry()
        plain = host in insecure_hosts() if insecure is None else insecure
        find = credentials or docker_credentials()
        self._connection = Connection(host, find, plain, timeout_seconds, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def interrupt(self) -> None:
        """End all waits for further attempts that other threads are in."""
        self._retry.interrupt()

    def manifest(self, reference: Reference, accept: Iterable[str] = ACCEPTED) -> FetchedManifest:
        """Fetch a manifest or index. NotInRegistry, or DigestMismatch if it is another one."""
        doing = f"getting the manifest of '{reference}'"
        headers = {"Accept": ", ".join(accept)}
        call = Call("GET", _manifest(reference), _pull(reference), doing, (200,), headers)
        return self._retry.run(lambda: self._fetch_manifest(call, reference))

    def has_manifest(self, reference: Reference) -> bool:
        """Tell whether the registry has a manifest."""
        doing = f"looking for the manifest of '{reference}'"
        headers = {"Accept": ", ".join(ACCEPTED)}
        call = Call("HEAD", _manifest(reference), _pull(reference), doing, (200, 404), headers)
        return self._send(call).status_code == 200

    def push_manifest(self, reference: Reference, manifest: ManifestToPush) -> None:
        """Store a manifest under the tag, or else the digest, of a reference."""
        name = reference.tag or manifest.digest
        doing = f"pushing the manifest '{manifest.digest}' as '{reference}'"
        call = Call(
            "PUT",
            f"{reference.repository}/manifests/{name}",
            scopes_of(reference.repository, "pull", "push"),
            doing,
            # Quay answers 202, and 200 has been seen of others.
            (200, 201, 202),
            {"Content-Type": manifest.media_type},
            manifest.content,
        )
        said = self._send(call).headers.get(_DIGEST_HEADER, manifest.digest)
        if said != manifest.digest:
            raise DigestMismatch(
                f"{doing} failed: registry '{self.host}' says that it got '{said}'. It changes "
                "manifests, or a proxy does: push to another registry"
            )

    def has_blob(self, repository: str, digest: str) -> bool:
        """Tell whether a repository has a blob."""
        doing = f"looking for the blob '{digest}' in '{repository}'"
        path = f"{repository}/blobs/{digest}"
        call = Call("HEAD", path, scopes_of(repository, "pull"), doing, (200, 404))
        return self._send(call).status_code == 200

    def push_blob(
        self, repository: str, blob: BlobToPush, progress: Progress = tell_nobody
    ) -> Sent:
        """Make sure that a repository has a blob; tell what it took."""
        with _files(f"reading '{blob.path}'"):
            return self._retry.run(Upload(self._connection, repository, blob, progress).attempt)

    def blob(
        self, repository: str, blob: Descriptor, target: Path, progress: Progress = tell_nobody
    ) -> None:
        """Fetch a blob into a file, which is there only once digest and size are right."""
        with _files(f"writing '{target}'"):
            target.parent.mkdir(parents=True, exist_ok=True)
            with scratch_folder(".pulling-", target.parent) as folder:
                unfinished = folder / "blob"
                with unfinished.open("w+b") as file:
                    download = Download(self._connection, repository, blob, file, progress)
                    self._retry.run(download.attempt)
                unfinished.replace(target)

    def _send(self, call: Call) -> httpx.Response:
        return self._retry.run(lambda: self._connection.send(call))

    def _fetch_manifest(self, call: Call, reference: Reference) -> FetchedManifest:
        with self._connection.stream(call) as response:
            content = b""
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LARGEST_MANIFEST:
                    raise Refused(
                        f"{call.doing} failed: it is larger than {_LARGEST_MANIFEST} bytes. Is "
                        f"'{reference}' an image?"
                    )
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        wanted = reference.digest or response.headers.get(_DIGEST_HEADER, "")
        digest = digest_of(content, wanted if is_digest(wanted) else "sha256:")
        if wanted and digest != wanted:
            raise DigestMismatch(
                f"{call.doing} failed: registry '{self.host}' sent '{digest}' instead of "
                f"'{wanted}'. The registry or a proxy is broken"
            )
        return FetchedManifest(content, media_type, digest)


@contextmanager
def _files(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        raise RegistryError(f"{doing} failed: {said}. Check the disk and its rights") from error


def _manifest(reference: Reference) -> str:
    return f"{reference.repository}/manifests/{reference.target}"


def _pull(reference: Reference) -> Scopes:
    return scopes_of(reference.repository, "pull")
