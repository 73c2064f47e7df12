"""Fetches one blob into a file: resumed after a cut, checked, and whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import httpx

from leoflow_builder.registry.authorisation import scopes_of
from leoflow_builder.registry.connection import Call, Connection
from leoflow_builder.registry.descriptor import Descriptor
from leoflow_builder.registry.digest import new_hash, written
from leoflow_builder.registry.failure import DigestMismatch, Temporary
from leoflow_builder.registry.sidebyside import Progress


class Download:
    """One blob on its way into an open file. What has arrived is kept from attempt to attempt."""

    def __init__(
        self,
        connection: Connection,
        repository: str,
        blob: Descriptor,
        file: BinaryIO,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._repository = repository
        self._blob = blob
        self._file = file
        self._progress = progress
        self._doing = f"getting the blob '{blob.digest}' of '{repository}'"
        self._restart()

    def attempt(self) -> None:
        """Fetch what is missing; Temporary if another attempt may work."""
        if self._done < self._blob.size_bytes or self._blob.size_bytes == 0:
            with self._connection.stream(self._call()) as response:
                if not self._continues(response):
                    self._restart()
                self._receive(response)
        self._check()

    def _call(self) -> Call:
        headers = {"Accept-Encoding": "identity"}
        if self._done:
            headers["Range"] = f"bytes={self._done}-"
        path = f"{self._repository}/blobs/{self._blob.digest}"
        scopes = scopes_of(self._repository, "pull")
        return Call("GET", path, scopes, self._doing, (200, 206), headers)

    def _continues(self, response: httpx.Response) -> bool:
        begin = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        return response.status_code == 206 and begin.strip() == str(self._done)

    def _restart(self) -> None:
        self._hash, self._done = new_hash(self._blob.digest), 0
        self._file.seek(0)
        self._file.truncate()

    def _receive(self, response: httpx.Response) -> None:
        for chunk in response.iter_raw():
            self._done += len(chunk)
            if self._done > self._blob.size_bytes:
                self._refuse(f"at least {self._done} bytes")
            self._hash.update(chunk)
            self._file.write(chunk)
            self._progress(self._blob.digest, self._done, self._blob.size_bytes)
        if self._done < self._blob.size_bytes:
            raise Temporary(
                f"{self._doing} failed: registry '{self._connection.host}' sent {self._done} of "
                f"{self._blob.size_bytes} bytes"
            )

    def _check(self) -> None:
        digest = written(self._blob.digest, self._hash)
        if digest != self._blob.digest:
            self._refuse(f"'{digest}'")

    def _refuse(self, got: str) -> None:
        raise DigestMismatch(
            f"{self._doing} failed: registry '{self._connection.host}' sent {got} instead of "
            f"'{self._blob.digest}' with {self._blob.size_bytes} bytes. The image there is "
            "damaged, or a proxy changes it: push it again"
        )


def blob_path(folder: Path, digest: str) -> Path:
    """Return where a blob lies in a folder, as in an OCI layout's `blobs`."""
    algorithm, _, digits = digest.partition(":")
    return folder / algorithm / digits
