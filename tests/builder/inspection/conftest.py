"""Every kind of place that keeps an image, with the same image in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from leoflow_builder.inspection.archive import open_archive
from leoflow_builder.inspection.enginesource import open_in_engine
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.registrysource import RegistrySource
from leoflow_builder.inspection.source import ImageSource
from leoflow_builder.registry.reference import Reference

from .image_sample import (
    INDEX,
    FakeEngine,
    Sample,
    docker_files,
    layout_files,
    tar_of,
    write_folder,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "registry"))

from fake_registry import FakeRegistry
from registry_sample import open_registry

Keep = Callable[[Sample], ImageSource]
EVERYWHERE = ("folder", "nested folder", "archive", "compressed archive", "engine", "registry")
# Docker's own format keeps one platform and nothing but the image.
KINDS = (*EVERYWHERE, "docker archive")


@pytest.fixture
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keep]:
    """A function that puts a sample into the kind of place that the test is about."""
    with ExitStack() as stack:
        yield lambda sample: _keep(request.param, sample, tmp_path, stack)


def _keep(kind: str, sample: Sample, folder: Path, stack: ExitStack) -> ImageSource:
    if kind.endswith("folder"):
        files = layout_files(sample, nested=kind.startswith("nested"))
        return LayoutFolder(write_folder(files, folder / "layout"))
    if kind == "registry":
        return _in_registry(sample, folder, stack)
    files = docker_files(sample) if kind == "docker archive" else layout_files(sample)
    if kind == "engine":
        found = stack.enter_context(open_in_engine(FakeEngine({"a:1": tar_of(files)}), "a:1"))
        assert found is not None
        return found
    path = folder / "image.tar"
    path.write_bytes(tar_of(files))
    if kind == "compressed archive":
        import gzip

        path.write_bytes(gzip.compress(tar_of(files)))
    return open_archive(path)


def _in_registry(sample: Sample, folder: Path, stack: ExitStack) -> ImageSource:
    fake = stack.enter_context(FakeRegistry())
    seed(fake, sample)
    registry = stack.enter_context(open_registry(fake.host))
    return RegistrySource(registry, Reference(fake.host, "team/dag", "1"), folder / "blobs")


def seed(fake: FakeRegistry, sample: Sample) -> None:
    """Put a sample into a registry as "team/dag:1"."""
    from .image_sample import digest_of

    for digest, content in sample.blobs.items():
        if sample.media_types[digest].endswith(("manifest.v1+json", "index.v1+json")):
            fake.manifests["team/dag"][digest] = (sample.media_types[digest], content)
        else:
            fake.blobs["team/dag"].add(digest)
            fake.content[digest] = content
    top = digest_of(sample.index)
    fake.manifests["team/dag"][top] = (INDEX, sample.index)
    fake.tags["team/dag"]["1"] = top
