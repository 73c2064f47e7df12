"""A Dockerfile of the user's, with an engine that only pretends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from keptsample import NAME, make_base, write_layout
from leoflow_builder.engine import BuildOrder
from leoflow_builder.oci.engine_socket import Archive
from leoflow_builder.oci.layout import Bundle, make_archive
from leoflow_builder.ownimage.dockerfilebuild import DockerfileOrder, build_dockerfile
from leoflow_builder.ownimage.keeping import KeptImage

IMAGE = make_base("built")


class PretendingEngine:
    """Builds the same image of whatever it is given, and remembers the contexts."""

    def __init__(self, manifests: bool) -> None:
        self._manifests = manifests
        self.contexts: list[list[str]] = []

    def stores_manifests(self) -> bool:
        return self._manifests

    def image_id(self, reference: str) -> str | None:
        return None

    def tag(self, image_id: str, reference: str) -> None: ...

    def load(self, archive: Archive) -> None: ...

    def build(self, order: BuildOrder, say: Callable[[str], None]) -> str:
        self._remember(order)
        return IMAGE.config.digest

    def export(self, order: BuildOrder, folder: Path, say: Callable[[str], None]) -> None:
        self._remember(order)
        write_layout(IMAGE, folder)

    def find(self, reference: str) -> object | None:
        return IMAGE

    def save(self, reference: str) -> Iterator[bytes]:
        yield from make_archive(Bundle(NAME, (IMAGE,))).pieces

    def _remember(self, order: BuildOrder) -> None:
        assert order.dockerfile.read_text() == "FROM x\n"
        names = (path.relative_to(order.context) for path in order.context.rglob("*"))
        self.contexts.append(sorted(str(name) for name in names))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM x\n")
    (folder / "data" / "a.txt").write_text("a")
    (folder / "link").symlink_to("data/a.txt")
    return folder


def order(project: Path) -> DockerfileOrder:
    names = ("Dockerfile", "data/a.txt", "link")
    files = {name: project / name for name in names}
    return DockerfileOrder(project / "Dockerfile", files, "linux/amd64")


def build(project: Path, engine: PretendingEngine) -> KeptImage:
    return build_dockerfile(order(project), engine, engine, project.parent / "home", print)


@pytest.mark.parametrize("manifests", [True, False], ids=["containerd store", "classic store"])
def test_the_image_is_kept_and_built_once(manifests: bool, project: Path) -> None:
    engine = PretendingEngine(manifests)
    made = [build(project, engine) for _ in range(2)]
    assert {one.digest for one in made} == {IMAGE.manifest.digest}
    assert engine.contexts == [["Dockerfile", "data", "data/a.txt", "link"]]


@pytest.mark.parametrize("name", ["data/a.txt", "Dockerfile.dockerignore"])
def test_a_change_builds_it_again(name: str, project: Path) -> None:
    engine = PretendingEngine(manifests=True)
    build(project, engine)
    (project / name).write_text("changed")
    build(project, engine)
    assert len(engine.contexts) == 2
