"""The levels for users: an image to build on, a Dockerfile, a ready image; each out of real places,
and with a task that runs on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from leoflow_builder.assemble import Options
from leoflow_builder.baseimage import ensure_base
from leoflow_builder.build import BuildResult, build_project
from leoflow_builder.failure import BuildError
from leoflow_builder.inspection.choice import find_image
from leoflow_builder.inspection.layout import LayoutFolder as Layout
from leoflow_builder.lock import read_lock
from leoflow_builder.oci.engine_images import open_images
from leoflow_builder.oci.engine_store import EngineStore
from leoflow_builder.oci.files import ArchiveFile, LayoutFolder
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.ownimage.keeping import keep_found
from leoflow_builder.problem import ProjectError
from leoflow_builder.registry.destination import RegistryDestination
from leoflow_builder.registry.reference import parse_reference
from leoflow_builder.wish import BuildWish

sys.path.insert(0, str(Path(__file__).parent))

from foreignbase import docker_archive, link_tar, make_foreign_base, with_layer, with_tar
from test_registry import running_registry

NO_ENGINE = "unix:///there/is/none.sock"
DEFAULTS = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
DAG = """\
import os

from leoflow import dag, task


@task
def look():
    import sys

    tool = sorted(os.listdir("/opt/tool")) if os.path.isdir("/opt/tool") else None
    return {{"mode": os.environ.get("APP_MODE"), "python": sys.executable, "tool": tool}}


@dag("{0}")
def levels():
    look()


levels()
"""


@pytest.fixture(scope="module")
def foreign(shared_home: Path) -> OciImage:
    """An image that leoflow has not built, with CPython 3.11 in /usr/local."""
    return make_foreign_base(ensure_base("3.11", shared_home, print))


@pytest.fixture
def names() -> Iterator[str]:
    """A name for a DAG and an image; the engine's images of that name are removed."""
    name = f"levels-{uuid4().hex[:12]}"
    yield name
    for repository in (f"leoflow/{name}", f"leoflow-test/{name}"):
        order = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository]
        found = subprocess.run(order, capture_output=True, text=True).stdout.split()
        if found:
            subprocess.run(["docker", "image", "rm", "--force", *found], capture_output=True)


@pytest.fixture
def project(tmp_path: Path, names: str) -> Callable[..., Path]:
    """A function that writes a project with some lines of leoflow.yaml."""

    def write(settings: str, dag: str = DAG) -> Path:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "leoflow.yaml").write_text(f"{settings}\n{DEFAULTS}")
        if dag:
            (folder / "dag.py").write_text(dag.format(names))
        return folder

    return write


@pytest.fixture
def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)


def bundle(image: OciImage, name: str = "team/foreign:1") -> Bundle:
    return Bundle(str(parse_reference(name)), (image,))


def as_folder(image: OciImage, folder: Path) -> Path:
    LayoutFolder(folder).receive(bundle(image), print)
    return folder


def build(
    project: Path, home: Path, say: Callable[[str], None] = print, **wish: Any
) -> BuildResult:
    return build_project(project, home, say, Options(BuildWish(**wish)))


def image_in(folder: Path, home: Path) -> OciImage:
    """Return the image of a layout, beside which there may be attestations."""
    layout = Layout(folder)
    return keep_found(layout, find_image(layout, None), home).image


def run_task(project: Path, home: Path) -> Any:
    """Run a project in containers; return what its one task returns."""
    code = "from leoflow_cli.entry import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(project), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "LEOFLOW_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    (task,) = json.loads(done.stdout)["tasks"]
    return task["return_value"]


LOOKED = {"mode": "foreign", "python": "/usr/local/bin/python3.11", "tool": ["new"]}


@pytest.mark.usefixtures("without_engine")
@pytest.mark.parametrize("place", ["folder", "archive", "docker archive", "relative", "registry"])
def test_a_base_is_built_on_without_an_engine(
    place: str,
    foreign: OciImage,
    project: Callable[..., Path],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if place == "registry":
        (tmp_path / "registry").mkdir()
        with running_registry(tmp_path / "registry") as host:
            monkeypatch.setenv("LEOFLOW_INSECURE_REGISTRIES", host)
            reference = f"{host}/team/foreign:1"
            RegistryDestination(parse_reference(reference)).receive(bundle(foreign), print)
            result = build(project(f"base_image: {reference}"), home, output=tmp_path / "out")
    else:
        text = _on_disk(place, foreign, tmp_path)
        result = build(project(f"base_image: {text}"), home, output=tmp_path / "out")
    built = image_in(tmp_path / "out", home)
    assert built.diff_ids[:3] == foreign.diff_ids
    if place != "docker archive":  # it holds plain tars
        assert [one.digest for one in built.layers[:3]] == [one.digest for one in foreign.layers]
        assert result.layers[0].digest == foreign.manifest.digest
    config = json.loads(b"".join(built.config.chunks()))
    variables = dict(one.split("=", 1) for one in config["config"]["Env"])
    assert variables["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert variables["APP_MODE"] == "foreign"
    assert "LEOFLOW_OLD" not in variables
    assert config["config"]["Labels"]["vendor"] == "me"
    assert config["config"]["Entrypoint"][0] == "/usr/local/bin/python3.11"


def _on_disk(place: str, image: OciImage, folder: Path) -> str:
    if place == "folder":
        return f"oci:{as_folder(image, folder / 'base')}"
    if place == "relative":
        as_folder(image, folder / "base")
        return "../base"
    if place == "archive":
        ArchiveFile(folder / "base.tar").receive(bundle(image), print)
        return str(folder / "base.tar")
    (folder / "base.tar").write_bytes(docker_archive(image))
    return f"docker-archive:{folder / 'base.tar'}"


@pytest.mark.engine
@pytest.mark.parametrize("builder", ["oci", pytest.param("buildkit", marks=pytest.mark.long)])
def test_a_task_runs_on_a_base_of_the_engine(
    builder: str,
    foreign: OciImage,
    project: Callable[..., Path],
    names: str,
    home: Path,
    tmp_path: Path,
) -> None:
    name = f"leoflow-test/{names}:1"
    EngineStore(open_images(), tmp_path / "memory").receive(bundle(foreign, name), print)
    folder = project(f"base_image: {name}\ndependencies: [idna==3.7]")
    result = build(folder, home, builder=builder)
    order = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python3"]
    code = "import idna, os; print(idna.__version__, os.path.exists('/usr/bin/python3.11'))"
    printed = subprocess.run(
        [*order, result.image.reference, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["3.7", "False"]
    assert run_task(folder, home) == LOOKED
    facts = open_images().find(result.image.reference)
    assert facts is not None
    assert facts.diff_ids[:3] == foreign.diff_ids


@pytest.mark.long
@pytest.mark.engine
def test_what_leoflow_built_before_is_out_of_sight(
    project: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    folder = project("")
    (folder / "old.py").write_text("")
    build(folder, home, output=tmp_path / "first")
    (folder / "old.py").unlink()
    dag = DAG.replace('"/opt/tool"', '"/opt/leoflow/dag"')
    folder = project(f"base_image: oci:{tmp_path / 'first'}", dag)
    assert run_task(folder, home)["tool"] == [
        "__pycache__",
        "dag.py",
        "leoflow.lock",
        "leoflow.yaml",
    ]


@pytest.mark.usefixtures("without_engine")
def test_a_venv_on_the_path_is_used_as_it_is_in_the_image(
    foreign: OciImage, project: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    site = "opt/venv/lib/python3.11/site-packages"
    files = {
        "opt/venv/pyvenv.cfg": b"home = /usr/local/bin\ninclude-system-site-packages = false\n",
        f"{site}/inside.py": b"VALUE = 5\n",
        f"{site}/inside.pth": b"\n",
    }
    image = with_layer(foreign, files, Env=["PATH=/opt/venv/bin:/usr/local/bin"])
    image = with_tar(image, link_tar("opt/venv/bin/python3.11", "/usr/local/bin/python3.11"))
    folder = project(f"base_image: oci:{as_folder(image, tmp_path / 'base')}")
    (folder / "dag.py").write_text("import inside\n" + (folder / "dag.py").read_text())
    build(folder, home, output=tmp_path / "out")
    built = image_in(tmp_path / "out", home)
    config = json.loads(b"".join(built.config.chunks()))["config"]
    assert config["Entrypoint"][0] == "/opt/venv/bin/python3.11"
    assert f"LEOFLOW_SITE_FOLDER=/{site}" in config["Env"]
    assert "LEOFLOW_SITE_HAS_PTH=1" in config["Env"]


@pytest.mark.usefixtures("without_engine")
@pytest.mark.parametrize(
    ("files", "variables", "reason"),
    [
        ({}, ["PATH=/nowhere"], r"leoflow\.yaml:1:.* has no Python on its PATH, '/nowhere'"),
        (
            {"x/python3.11": b"#!/bin/sh\n"},
            ["PATH=/x"],
            "cannot be looked into on this host: its Python is a script.*no container engine",
        ),
        ({"x/python3": b"MUSL"}, ["PATH=/x"], r"has no glibc \(Alpine has musl\)"),
    ],
)
def test_what_cannot_run_it_is_refused_before_anything_is_built(
    files: dict[str, bytes],
    variables: list[str],
    reason: str,
    foreign: OciImage,
    project: Callable[..., Path],
    home: Path,
    tmp_path: Path,
) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "builder" / "ownimage"))
    from test_elf import program

    made = {name: b"#!" + text[2:] for name, text in files.items()}
    if b"MUSL" in files.values():
        made = {"x/python3": program("/lib/ld-musl-x86_64.so.1")}
    image = with_layer(foreign, made, Env=variables)
    folder = project(f"base_image: oci:{as_folder(image, tmp_path / 'base')}")
    with pytest.raises(ProjectError, match=reason):
        build(folder, home, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("without_engine")
def test_another_version_is_refused_with_the_line(
    foreign: OciImage, project: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    base = as_folder(foreign, tmp_path / "base")
    folder = project(f"python_version: '3.13'\nbase_image: oci:{base}")
    with pytest.raises(
        ProjectError, match=r"leoflow\.yaml:2:.*has CPython 3\.11\.\d+, and the pro"
    ):
        build(folder, home, output=tmp_path / "out")


@pytest.mark.usefixtures("without_engine")
def test_an_image_that_is_nowhere_is_told_with_the_places(
    project: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    folder = project("base_image: 127.0.0.1:1/team/none:1")
    with pytest.raises(BuildError, match=r"(?s)not to be found.*in the engine: no con.*registry: "):
        build(folder, home, output=tmp_path / "out")


@pytest.mark.usefixtures("without_engine")
def test_the_lock_keeps_to_the_image_that_it_pins(
    foreign: OciImage, project: Callable[..., Path], home: Path, tmp_path: Path, shared_home: Path
) -> None:
    base, said = tmp_path / "base", list[str]()
    folder = project(f"base_image: oci:{as_folder(foreign, base)}")
    first = build(folder, home, output=tmp_path / "out")
    lock = read_lock(folder)
    assert lock is not None
    locked = lock.targets["linux/amd64"].base
    assert locked is not None
    assert locked.digest == foreign.manifest.digest
    shutil.rmtree(base)
    other = make_foreign_base(ensure_base("3.11", shared_home, print), mark="2")
    as_folder(other, base)
    again = build(folder, home, said.append, output=tmp_path / "out")
    assert again.image == first.image
    assert any(f"means '{other.manifest.digest}' now; the build keeps to" in one for one in said)
    # Without the pin the other one is taken, and on a machine that never had the pinned one, too.
    kept = home / "cache" / "images-of-others"
    shutil.rmtree(kept / foreign.manifest.digest.replace(":", "-"))
    with pytest.raises(BuildError, match="is nowhere any more"):
        build(folder, home, output=tmp_path / "out", locked=True)
    said.clear()
    latest = build(folder, home, said.append, output=tmp_path / "out")
    assert latest.layers[0].digest == other.manifest.digest
    assert any("is nowhere any more" in one for one in said)


DOCKERFILE = """\
FROM {0}
COPY data.txt /opt/tool/data.txt
ENV APP_MODE=dockerfile
RUN ["python3", "-c", "print('built')"]
"""


@pytest.mark.engine
def test_a_dockerfile_is_built_once_and_a_task_runs_on_it(
    foreign: OciImage,
    project: Callable[..., Path],
    names: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, said = f"leoflow-test/{names}:1", list[str]()
    EngineStore(open_images(), tmp_path / "memory").receive(bundle(foreign, name), print)
    folder = project("dockerfile: Dockerfile")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(name))
    (folder / "data.txt").write_text("data")
    (folder / "ignored.txt").write_text("x")
    (folder / ".leoflowignore").write_text("ignored.txt\n")
    assert run_task(folder, home) == {**LOOKED, "mode": "dockerfile", "tool": ["data.txt", "new"]}
    with monkeypatch.context() as changed:
        changed.setenv("DOCKER_HOST", NO_ENGINE)
        (folder / "ignored.txt").write_text("y")
        build(folder, home, said.append, output=tmp_path / "out")
        assert "building 'Dockerfile'" not in said
        (folder / "data.txt").write_text("other")
        with pytest.raises(BuildError, match=r"no container engine answers.* DOCKER_HOST at one"):
            build(folder, home, said.append, output=tmp_path / "out")
    build(folder, home, said.append, output=tmp_path / "out")
    assert "building 'Dockerfile'" in said


@pytest.mark.engine
def test_a_dockerfile_that_fails_is_told_in_the_engine_s_words(
    foreign: OciImage, project: Callable[..., Path], names: str, home: Path, tmp_path: Path
) -> None:
    name = f"leoflow-test/{names}:1"
    EngineStore(open_images(), tmp_path / "memory").receive(bundle(foreign, name), print)
    folder = project("dockerfile: Dockerfile")
    (folder / "Dockerfile").write_text(f'FROM {name}\nRUN ["python3", "-c", "0/0"]\n')
    with pytest.raises(BuildError, match=r"(?s)building .*ZeroDivisionError"):
        build(folder, home, output=tmp_path / "out")


def test_a_dockerfile_that_is_not_there_is_told_with_the_line(
    project: Callable[..., Path], home: Path
) -> None:
    with pytest.raises(ProjectError, match=r"leoflow\.yaml:1:.*'Docker' is not in the project"):
        build(project("dockerfile: Docker"), home, output=home / "out")


@pytest.mark.long
@pytest.mark.engine
def test_an_image_without_the_agent_is_given_one(
    foreign: OciImage, project: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    # Debian's Python looks for packages in two folders; apt's are in the second.
    files = {"usr/local/lib/python3/dist-packages/second.py": b"VALUE = 2\n"}
    image = with_layer(foreign, files)
    dag = DAG.replace("    import sys\n", "    import sys\n\n    import second\n")
    folder = project(f"image: oci:{as_folder(image, tmp_path / 'base')}", dag)
    assert run_task(folder, home) == LOOKED


@pytest.mark.engine
def test_a_ready_image_is_used_as_it_is(
    foreign: OciImage, project: Callable[..., Path], home: Path, tmp_path: Path
) -> None:
    base = as_folder(foreign, tmp_path / "base")
    first = build(project(f"base_image: oci:{base}"), home, output=tmp_path / "ready")
    dag = (tmp_path / "project" / "dag.py").read_text()
    (tmp_path / "project" / "dag.py").unlink()
    folder = project(f"image: oci:{tmp_path / 'ready'}", dag="")
    result = build(folder, home, output=tmp_path / "again.tar")
    assert (result.image.digest, result.spec, result.builder) == (
        first.image.digest,
        first.spec,
        "none",
    )
    assert result.layers[0].size_bytes == result.compressed_bytes
    assert run_task(folder, home) == LOOKED
    # The same DAG may lie beside it, another one may not.
    (folder / "dag.py").write_text(dag)
    assert build(folder, home, output=tmp_path / "again.tar").image.digest == first.image.digest
    (folder / "dag.py").write_text(dag.replace("tool = sorted", "tool =  sorted"))
    with pytest.raises(ProjectError, match=r"leoflow\.yaml:1:.* has another 'dag.py'"):
        build(folder, home, output=tmp_path / "again.tar")
    (folder / "dag.py").write_text(dag.replace("look()", "look() >> look()"))
    with pytest.raises(ProjectError):
        build(folder, home, output=tmp_path / "again.tar")


@pytest.mark.usefixtures("without_engine")
def test_a_ready_image_of_a_registry_keeps_its_name(
    foreign: OciImage,
    project: Callable[..., Path],
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = as_folder(foreign, tmp_path / "base")
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as host:
        monkeypatch.setenv("LEOFLOW_INSECURE_REGISTRIES", host)
        first = build(project(f"base_image: oci:{base}"), home, push=True, tag=f"{host}/a/ready:1")
        (tmp_path / "project" / "dag.py").unlink()
        folder = project(f"image: {host}/a/ready:1", dag="")
        result = build(folder, home, output=tmp_path / "out")
        assert result.image.reference == f"{host}/a/ready:1"
        pushed = build(folder, home, push=True, tag=f"{host}/b/ready:2")
        assert pushed.image.digest == result.image.digest
    assert first.spec == result.spec
