"""Sends one blob: by mount, or as one stream that is begun anew after a cut.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-blobs
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import httpx

from leoflow_builder.registry.authorisation import scopes_of
from leoflow_builder.registry.connection import Call, Connection
from leoflow_builder.registry.digest import new_hash, written
from leoflow_builder.registry.failure import (
    AccessDenied,
    DigestMismatch,
    NotInRegistry,
    Refused,
    Temporary,
)
from leoflow_builder.registry.image import BlobToPush
from leoflow_builder.registry.sidebyside import Progress

Sent = Literal["sent", "mounted", "present"]
_CHUNK_BYTES = 256 * 1024


class Upload:
    """One blob on its way to one repository."""

    def __init__(
        self, connection: Connection, repository: str, blob: BlobToPush, progress: Progress
    ) -> None:
        self._connection = connection
        self._repository = repository
        self._blob = blob
        self._progress = progress
        self._source = blob.mount_from
        self._scopes = scopes_of(repository, "pull", "push")
        self._doing = f"pushing the blob '{blob.digest}' to '{repository}'"

    def attempt(self) -> Sent:
        """Send the blob from its first byte, unless the registry has it or can mount it.

        Temporary if another attempt may work.
        """
        size = self._blob.size_bytes
        if self._is_present():
            self._progress(self._blob.digest, size, size)
            return "present"
        place = self._begin()
        if place is None:
            self._progress(self._blob.digest, size, size)
            return "mounted"
        self._put(place)
        return "sent"

    def _is_present(self) -> bool:
        call = Call("HEAD", self._path(self._blob.digest), self._scopes, self._doing, (200, 404))
        return self._connection.send(call).status_code == 200

    def _begin(self) -> httpx.URL | None:
        """Return where to send the blob, or None if the registry took it from elsewhere."""
        # A registry that fails at a mount may fail each time, and take the bytes all the same.
        source, self._source = self._source, None
        if source is None or source == self._repository:
            return self._place(self._post("", self._scopes, (202,)))
        query = f"?mount={self._blob.digest}&from={source}"
        try:
            scopes = (*self._scopes, *scopes_of(source, "pull"))
            response = self._post(query, scopes, (201, 202))
        except (AccessDenied, NotInRegistry, Refused):
            # A mount spares bytes and nothing else: without leave to read the source, send them.
            return self._place(self._post("", self._scopes, (202,)))
        return None if response.status_code == 201 else self._place(response)

    def _post(
        self, query: str, scopes: tuple[str, ...], expected: tuple[int, ...]
    ) -> httpx.Response:
        path = self._path("uploads/") + query
        return self._connection.send(Call("POST", path, scopes, self._doing, expected, body=b""))

    def _place(self, response: httpx.Response) -> httpx.URL:
        location = response.headers.get("Location")
        if not location:
            raise Refused(
                f"{self._doing} failed: registry '{self._connection.host}' does not say where to "
                "send it (no Location). Is it well?"
            )
        joint = "&" if "?" in location else "?"
        # The address is the registry's own and may be signed: it is added to, not taken apart.
        addressed = f"{location}{joint}digest={self._blob.digest}"
        return self._connection.resolve(addressed, response.url)

    def _put(self, place: httpx.URL) -> None:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(self._blob.size_bytes),
        }
        call = Call("PUT", place, self._scopes, self._doing, (201, 204), headers, self._content)
        try:
            response = self._connection.send(call)
        except NotInRegistry as error:
            # The registry has forgotten the upload; a new one is as good.
            raise Temporary(str(error)) from error
        said = response.headers.get("Docker-Content-Digest", self._blob.digest)
        if said != self._blob.digest:
            raise DigestMismatch(
                f"{self._doing} failed: registry '{self._connection.host}' says that it got "
                f"'{said}'. Push again; if that does not help, the registry or a proxy is broken"
            )

    def _content(self) -> Iterator[bytes]:
        """Read the file and check it, so that a damaged one never arrives whole."""
        computed, done, size = new_hash(self._blob.digest), 0, self._blob.size_bytes
        self._progress(self._blob.digest, 0, size)
        with self._blob.path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                computed.update(chunk)
                done += len(chunk)
                if done >= size:
                    self._check_read(done, written(self._blob.digest, computed))
                yield chunk
                self._progress(self._blob.digest, done, size)
        if done < size:
            self._check_read(done, written(self._blob.digest, computed))

    def _check_read(self, done: int, digest: str) -> None:
        if done != self._blob.size_bytes or digest != self._blob.digest:
            raise DigestMismatch(
                f"the blob '{self._blob.digest}' at '{self._blob.path}' is damaged: it is really "
                f"'{digest}' ({done} bytes). Run `leoflow cache prune --all`, and build again"
            )

    def _path(self, name: str) -> str:
        return f"{self._repository}/blobs/{name}"
