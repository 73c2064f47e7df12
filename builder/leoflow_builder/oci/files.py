"""A folder or an archive as the destination of images; neither takes an engine or a network."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from leoflow_builder.destination import Receipt, Say
from leoflow_builder.failure import BuildError
from leoflow_builder.oci.content import INDEX, MANIFEST, Json
from leoflow_builder.oci.layout import (
    Bundle,
    archive_chunks,
    blob_path,
    listed_in,
    name_of,
    write_folder,
)


class LayoutFolder:
    """An OCI layout in a folder, to which images are added."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    is_engine = False

    @property
    def place(self) -> str:
        """See `Destination`."""
        return f"folder {self._folder}"

    def has(self, name: str, image_id: str) -> bool:
        """See `Destination`; all blobs have to be there, and be of the right size."""
        tops = [one for one in listed_in(self._folder) if name_of(one) == name]
        return [one["digest"] for one in tops] == [image_id] and self._is_whole(tops[0])

    def _is_whole(self, descriptor: Json) -> bool:
        path = blob_path(self._folder, str(descriptor["digest"]))
        if not path.is_file() or path.stat().st_size != descriptor["size"]:
            return False
        if descriptor["mediaType"] not in (MANIFEST, INDEX):
            return True
        return all(self._is_whole(one) for one in _below(json.loads(path.read_bytes())))

    def receive(self, bundle: Bundle, say: Say) -> Receipt:
        """See `Destination`."""
        say(f"writing an OCI layout into '{self._folder}'")
        if self._folder.exists() and not self._is_usable():
            raise BuildError(
                f"'{self._folder}' is neither empty nor an OCI layout, and nothing in it is "
                "overwritten. Name another folder with --output"
            )
        try:
            new = write_folder(bundle, self._folder)
        except OSError as error:
            raise _unwritable(self._folder, error) from None
        return Receipt(bundle.top.digest, new)

    def _is_usable(self) -> bool:
        if not self._folder.is_dir():
            return False
        return (self._folder / "oci-layout").is_file() or not any(self._folder.iterdir())


class ArchiveFile:
    """One file for `docker load`, podman and skopeo."""

    def __init__(self, file: Path) -> None:
        self._file = file.absolute()

    is_engine = False

    @property
    def place(self) -> str:
        """See `Destination`."""
        return f"archive {self._file}"

    def has(self, name: str, image_id: str) -> bool:
        """See `Destination`; the file has to be whole."""
        try:
            with tarfile.open(self._file, "r:") as archive:
                members = archive.getmembers()
                index = archive.extractfile("index.json")
                listed = json.load(index)["manifests"] if index else []
            end = members[-1].offset_data + members[-1].size
            whole = self._file.stat().st_size >= end
        except (OSError, tarfile.TarError, ValueError, KeyError):
            return False
        return whole and [(name_of(one), one["digest"]) for one in listed] == [(name, image_id)]

    def receive(self, bundle: Bundle, say: Say) -> Receipt:
        """See `Destination`."""
        say(f"writing '{self._file}'")
        unfinished = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                for piece in archive_chunks(bundle):
                    file.write(piece)
            unfinished.replace(self._file)
        except OSError as error:
            raise _unwritable(self._file, error) from None
        finally:
            with suppress(OSError):
                unfinished.unlink()
        return Receipt(bundle.top.digest, self._file.stat().st_size)


def _below(document: Mapping[str, Any]) -> list[Json]:
    config = [document["config"]] if "config" in document else []
    return [*config, *document.get("layers", ()), *document.get("manifests", ())]


def _unwritable(path: Path, error: OSError) -> BuildError:
    return BuildError(
        f"'{path}' cannot be written: {error.strerror}. Free space, or name another place with "
        "--output"
    )
