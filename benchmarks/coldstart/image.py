"""Images that leoflow does not build: a static program that does nothing, and layers on top."""

from __future__ import annotations

import io
import platform
import struct
import tarfile
from typing import Any, NamedTuple

from leoflow_agent.spec import DagSpec

from benchmarks.build.process import BenchError

STATIC_NAME = "leoflow-bench/static"
ADDRESS, ELF_BYTES, SEGMENT_BYTES = 0x400000, 64, 56
LOADED, READ_AND_EXECUTE, PAGE_BYTES = 1, 5, 4096
# exit(0) in three instructions, and the machine's number in an ELF header.
PROGRAMS = {
    "x86_64": (62, bytes.fromhex("b83c000000 31ff 0f05")),
    "aarch64": (183, bytes.fromhex("a80b80d2 000080d2 010000d4")),
}


class Image(NamedTuple):
    """An image on the engine; ``spec`` is the DAG in it, if there is one."""

    reference: str
    spec: DagSpec | None = None


def static_program(machine: str) -> bytes:
    """Write a static ELF executable that exits at once; BenchError for an unknown machine."""
    if machine not in PROGRAMS:
        known = ", ".join(PROGRAMS)
        raise BenchError(f"there is no static program for the machine '{machine}', only {known}")
    number, code = PROGRAMS[machine]
    head = ELF_BYTES + SEGMENT_BYTES
    identity = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    entry, size = ADDRESS + head, head + len(code)
    sizes = (0, ELF_BYTES, SEGMENT_BYTES, 1, 0, 0, 0)
    elf = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, entry, ELF_BYTES, 0, *sizes)
    place = (0, ADDRESS, ADDRESS, size, size, PAGE_BYTES)
    segment = struct.pack("<IIQQQQQQ", LOADED, READ_AND_EXECUTE, *place)
    return identity + elf + segment + code


def import_static(client: Any) -> Image:
    """Give the engine an image with the static program alone."""
    archive = tar_of("noop", static_program(platform.machine()))
    client.import_image_from_data(archive, repository=STATIC_NAME, tag="latest")
    return Image(f"{STATIC_NAME}:latest")


def tar_of(name: str, content: bytes) -> bytes:
    """Return an archive of one executable file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o755
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
