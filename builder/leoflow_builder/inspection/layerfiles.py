"""What is in a layer, read once from front to back. Nothing is unpacked."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Literal, cast

import zstandard

from leoflow_builder.inspection.failure import BrokenImage
from leoflow_builder.inspection.source import (
    ImageSource,
    Pointer,
    VerifiedStream,
    open_verified,
)
from leoflow_builder.inspection.tarfolder import normal

Kind = Literal["file", "folder", "link", "hard link", "other"]
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE_BYTES = 1 << 20
# A document that is to be shown, and not read into memory if somebody made it a film.
_LARGEST_DOCUMENT = 16 << 20


@dataclass(frozen=True)
class FileEntry:
    """One entry of a layer. ``content`` is a file's SHA-256, or where a link leads. Times do not
    count."""

    kind: Kind
    size_bytes: int
    mode: int
    owner: tuple[int, int]
    content: str


@dataclass(frozen=True)
class LayerFiles:
    """A layer that was read. Paths have no leading slash; ``unpacked_bytes`` are those of the
    files, ``documents`` the contents of those that were asked for."""

    unpacked_bytes: int
    entries: Mapping[str, FileEntry]
    documents: Mapping[str, bytes] = field(default_factory=dict)


def read_layer(
    source: ImageSource, layer: Pointer, diff_id: str, wanted: Set[str] = frozenset()
) -> LayerFiles:
    """Read a layer whole and verify it, compressed and plain; BrokenImage if it is another.

    ``wanted`` are the paths of documents to keep.
    """
    with open_layer(source, layer, diff_id) as archive:
        return _read(archive, wanted)


@contextmanager
def open_layer(source: ImageSource, layer: Pointer, diff_id: str) -> Iterator[tarfile.TarFile]:
    """Open a layer's tar, to be read from front to back; it is verified at the end of the block.

    BrokenImage if it cannot be read, or is another one than its digests say.
    """
    with open_verified(source, layer) as blob:
        try:
            plain = _Plain(_decompressed(blob))
            with tarfile.open(fileobj=cast("IO[bytes]", plain), mode="r|") as archive:
                yield archive
            plain.drain()
        except (tarfile.TarError, zstandard.ZstdError, zlib.error, EOFError, OSError) as error:
            raise BrokenImage(
                f"{source.name}: the layer '{layer.digest}' of type '{layer.media_type}' cannot be "
                f"read: {error}. leoflow reads tar, plain or compressed with gzip or zstd"
            ) from None
    if plain.digest != diff_id:
        raise BrokenImage(
            f"{source.name}: the layer '{layer.digest}' unpacks to '{plain.digest}', and the image "
            f"says '{diff_id}'. It was put together wrongly: build it again"
        )


class _Plain:
    """A layer's plain tar, with the digest of all that was read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._sha256.update(data)
        return data

    def drain(self) -> None:
        while self.read(_PIECE_BYTES):
            pass

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were looked at."""

    def __init__(self, head: bytes, rest: VerifiedStream) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        if size < 0 or len(head) < size:
            return head + self._rest.read(size if size < 0 else size - len(head))
        self._head = head[size:]
        return head[:size]


def _decompressed(blob: VerifiedStream) -> IO[bytes]:
    # What it is compressed with is told by its first bytes: media types are wrong at times.
    head = blob.read(4)
    whole = cast("IO[bytes]", _Rejoined(head, blob))
    if head.startswith(_ZSTD):
        return zstandard.ZstdDecompressor().stream_reader(whole, read_across_frames=True)
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=whole))
    return whole


def _read(archive: tarfile.TarFile, wanted: Set[str]) -> LayerFiles:
    entries: dict[str, FileEntry] = {}
    documents: dict[str, bytes] = {}
    for member in archive:
        path = normal(member.name)
        if path == ".":
            continue
        if path in wanted and member.isreg() and member.size <= _LARGEST_DOCUMENT:
            documents[path] = _content(archive, member)
            value = hashlib.sha256(documents[path]).hexdigest()
        else:
            value = _value(archive, member)
        owner = (member.uid, member.gid)
        size = member.size if member.isreg() else 0
        entries[path] = FileEntry(_kind(member), size, member.mode & 0o7777, owner, value)
    unpacked = sum(one.size_bytes for one in entries.values())
    return LayerFiles(unpacked, entries, documents)


def _kind(member: tarfile.TarInfo) -> Kind:
    if member.isreg():
        return "file"
    if member.isdir():
        return "folder"
    return "link" if member.issym() else "hard link" if member.islnk() else "other"


def _value(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    if not member.isreg():
        return member.linkname
    stream = archive.extractfile(member)
    assert stream is not None
    value = hashlib.sha256()
    while piece := stream.read(_PIECE_BYTES):
        value.update(piece)
    return value.hexdigest()


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    assert stream is not None
    return stream.read()
