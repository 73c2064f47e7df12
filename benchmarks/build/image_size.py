"""How large images are, layer by layer, compressed and unpacked, for every example.

It measures archives of images (`--output FILE.tar` or `docker save`) and trusts no figure that
leoflow prints. Prints figures and judges nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from benchmarks.build.contender import leoflow
from benchmarks.build.process import BenchError, output_of

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("base", "agent", "deps", "dag")
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Size:
    """Bytes of a layer's blob, and of the contents of its files."""

    compressed_bytes: int
    unpacked_bytes: int


@dataclass(frozen=True)
class Measured:
    """The layers of one image by name, from the bottom up."""

    project: str
    layers: dict[str, Size]

    def total(self, names: Sequence[str] = NAMES) -> Size:
        """Return the sum over the layers of these names."""
        chosen = [size for name, size in self.layers.items() if name in names]
        compressed = sum(one.compressed_bytes for one in chosen)
        return Size(compressed, sum(one.unpacked_bytes for one in chosen))


def main() -> int:
    """Build, measure, print and write JSON; 1 if a build fails."""
    arguments = _parser().parse_args()
    folders = arguments.projects or sorted(one.parent for one in EXAMPLES.rglob("leoflow.yaml"))
    has_output = "--output" in output_of(leoflow("build", "--help"))
    try:
        measured = [_measure(folder, has_output) for folder in folders]
    except BenchError as error:
        print(f"image_size: {error}", file=sys.stderr)
        return 1
    command = shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]])
    if arguments.json:
        document = {"command": command, "images": [asdict(one) for one in measured]}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{command}\n\n{table(measured)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", type=Path, nargs="*", help="default: all examples")
    parser.add_argument("--json", type=Path)
    return parser


def _measure(folder: Path, has_output: bool) -> Measured:
    print(f"building {folder}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="leoflow-bench-") as scratch:
        copy, archive = Path(scratch) / "project", Path(scratch) / "image.tar"
        shutil.copytree(folder, copy)
        made = ["--builder", "oci", "--output", str(archive)] if has_output else []
        built = json.loads(output_of(leoflow("build", str(copy), "--json", *made)))
        if not has_output:
            output_of(["docker", "image", "save", "--output", str(archive), built["image"]])
        names = [one["name"] for one in built["layers"] if one["size_bytes"] != 0]
        sizes = list(layer_sizes(archive))
    if len(names) != len(sizes):
        raise BenchError(f"'{folder}' has {len(sizes)} layers, and leoflow names {names}")
    name = (
        folder.absolute().relative_to(EXAMPLES) if EXAMPLES in folder.absolute().parents else folder
    )
    return Measured(str(name), dict(zip(names, sizes, strict=True)))


def layer_sizes(archive: Path) -> Iterator[Size]:
    """Yield the sizes of the layers in an archive of an OCI layout, from the bottom up."""
    with tarfile.open(archive) as layout:
        manifest = _json_at(layout, "index.json")["manifests"][0]["digest"]
        for layer in _json_at(layout, _path(manifest))["layers"]:
            blob = _open(layout, _path(layer["digest"]))
            yield Size(layer["size"], unpacked_bytes(blob))


def unpacked_bytes(blob: IO[bytes]) -> int:
    """Return the bytes of all files in a layer; hard links count once."""
    start = blob.read(2)
    blob.seek(0)
    if start == GZIP:
        with tarfile.open(fileobj=blob, mode="r|gz") as files:
            return sum(one.size for one in files if one.isfile())
    reader = zstandard.ZstdDecompressor().stream_reader(blob)
    with tarfile.open(fileobj=reader, mode="r|") as files:
        return sum(one.size for one in files if one.isfile())


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json_at(layout: tarfile.TarFile, name: str) -> Any:
    return json.load(_open(layout, name))


def _open(layout: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        file = layout.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise BenchError(f"the image's archive has no '{name}': it is no OCI layout")
    return file


def table(measured: Sequence[Measured]) -> str:
    """Return a table in Markdown, in MB of 10^6 bytes: compressed / unpacked."""
    lines = ["| project | base + agent | deps | dag | image |", "|---|--:|--:|--:|--:|"]
    for one in measured:
        parts = [one.total(("base", "agent")), one.total(("deps",)), one.total(("dag",))]
        cells = " | ".join(_cell(size) for size in (*parts, one.total()))
        lines.append(f"| {one.project} | {cells} |")
    return "\n".join(lines)


def _cell(size: Size) -> str:
    return f"{size.compressed_bytes / 1e6:.3f} / {size.unpacked_bytes / 1e6:.3f}"


if __name__ == "__main__":
    sys.exit(main())
