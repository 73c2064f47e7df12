"""Writes the tree of a layer as a registry keeps it: a tar, compressed with zstd.

The same tree gives the same bytes on every machine: the library that compresses is pinned, and
how many processors take part does not show.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import zstandard

from leoflow_builder.layertar import write_tar

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+zstd"
Level = Literal["often", "seldom"]
# A layer that changes seldom is compressed once and pulled many times; one that changes often
# is waited for. Measured in docs/adr/0010.
_ZSTD_LEVEL: Mapping[Level, int] = {"often": 12, "seldom": 18}
_WINDOW_LOG: Mapping[Level, int] = {"often": 23, "seldom": 25}


@dataclass(frozen=True)
class Packed:
    """A layer that was written. ``diff_id`` is the plain tar's digest (OCI's word), ``digest``
    and ``size_bytes`` are the compressed blob's."""

    diff_id: str
    digest: str
    size_bytes: int


class _Tee:
    """Passes on what is written, and keeps its digest and size."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        self.size_bytes += len(data)
        self._target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"


def pack_layer(
    root: Path, target: Path, owners: Mapping[str, int] | None = None, level: Level = "often"
) -> Packed:
    """Write all that is below ``root`` as one layer into the file ``target``.

    ``owners`` maps paths to the uid and gid of what lies there; everything else is root's.
    """
    with target.open("wb") as file:
        blob = _Tee(file)
        with _compressor(level).stream_writer(blob, closefd=False) as compressed:  # type: ignore[arg-type]
            plain = _Tee(compressed)
            write_tar(root, plain, owners or {})  # type: ignore[arg-type]
    return Packed(plain.digest, blob.digest, blob.size_bytes)


def _compressor(level: Level) -> zstandard.ZstdCompressor:
    # With any number of threads zstd writes the same, but without them something else.
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _ZSTD_LEVEL[level], window_log=_WINDOW_LOG[level], threads=-1
    )
    return zstandard.ZstdCompressor(compression_params=parameters)


@contextmanager
def open_layer(blob: Path) -> Iterator[tarfile.TarFile]:
    """Open a layer's tar to be read from front to back; its frames may be several."""
    with (
        blob.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        yield archive
