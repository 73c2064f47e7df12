"""Writes the tree of a layer as a registry keeps it: a tar, compressed with zstd.

The same tree gives the same bytes on every machine: the library that compresses is pinned, and
how many processors take part does not show. A blob may be made of several frames of zstd's, each
with its part of the tar (RFC 8878, section 3), so that a part is compressed once.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import zstandard

from leoflow_builder.layertar import END, Kind, write_members, write_tar

MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+zstd"
Level = Literal["wheel", "often", "seldom", "code"]
# A layer that changes seldom is compressed once and pulled many times; one that changes often
# is waited for. Measured in docs/adr/0010.
_ZSTD_LEVEL: Mapping[Level, int] = {"wheel": 7, "often": 12, "seldom": 18, "code": 12}
_WINDOW_LOG: Mapping[Level, int] = {"wheel": 23, "often": 23, "seldom": 25, "code": 23}
_SMALLEST_WINDOW_LOG = 10
_CHUNK_BYTES = 1 << 20


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

    def tell(self) -> int:
        return self.size_bytes

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
        size_bytes = _size_hint(root) if level == "code" else 0
        with _compressor(level, size_bytes).stream_writer(blob, closefd=False) as compressed:  # type: ignore[arg-type]
            plain = _Tee(compressed)
            write_tar(root, plain, owners or {})  # type: ignore[arg-type]
    return Packed(plain.digest, blob.digest, blob.size_bytes)


def pack_frame(root: Path, target: Path, kind: Kind, left_out: Collection[str] = ()) -> None:
    """Write the folders below ``root``, or all else, as a frame of a layer to be joined.

    Names in ``left_out`` are not written.
    """
    with (
        target.open("wb") as file,
        _compressor("wheel").stream_writer(file, closefd=False) as compressed,
    ):
        write_members(root, _Tee(compressed), kind, left_out)  # type: ignore[arg-type]


def join_frames(frames: Sequence[Path], target: Path) -> Packed:
    """Write one layer made of frames, in their order, into the file ``target``."""
    from concurrent.futures import ThreadPoolExecutor

    end = _compressor("wheel").compress(END)
    with ThreadPoolExecutor(1) as pool, target.open("wb") as file:
        diff_id = pool.submit(_plain_digest, frames)
        blob = _Tee(file)
        for frame in frames:
            with frame.open("rb") as source:
                shutil.copyfileobj(source, blob, _CHUNK_BYTES)
        blob.write(end)
        return Packed(diff_id.result(), blob.digest, blob.size_bytes)


def _plain_digest(frames: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for frame in frames:
        with frame.open("rb") as file:
            for chunk in zstandard.ZstdDecompressor().read_to_iter(
                file, _CHUNK_BYTES, _CHUNK_BYTES
            ):
                digest.update(chunk)
    digest.update(END)
    return f"sha256:{digest.hexdigest()}"


def _size_hint(root: Path) -> int:
    """Return about the size of a tree's tar, as a power of two that the tree alone decides."""
    sizes = [path.lstat().st_size if path.is_file() else 0 for path in root.rglob("*")]
    return 1 << (sum(sizes) + 2 * tarfile.BLOCKSIZE * len(sizes)).bit_length()


def _compressor(level: Level, size_bytes: int = 0) -> zstandard.ZstdCompressor:
    """Return a compressor; one that knows the size need not clear tables for much more.

    For a few kilobytes that took 35 ms, and compressed them no better.
    """
    window_log = _WINDOW_LOG[level]
    if size_bytes:
        window_log = max(_SMALLEST_WINDOW_LOG, min(window_log, size_bytes.bit_length()))
    # With any number of threads zstd writes the same, but without them something else.
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _ZSTD_LEVEL[level], source_size=size_bytes, window_log=window_log, threads=-1
    )
    return zstandard.ZstdCompressor(compression_params=parameters)


def write_plain(blob: Path, target: Path) -> None:
    """Write a layer's tar, uncompressed, into a file."""
    decompressor = zstandard.ZstdDecompressor()
    with (
        blob.open("rb") as source,
        target.open("wb") as file,
        decompressor.stream_reader(source, read_across_frames=True) as plain,
    ):
        shutil.copyfileobj(plain, file, _CHUNK_BYTES)


@contextmanager
def open_layer(blob: Path) -> Iterator[tarfile.TarFile]:
    """Open a layer's tar to be read from front to back; its frames may be several."""
    with (
        blob.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as plain,
        tarfile.open(fileobj=plain, mode="r|") as archive,
    ):
        yield archive
