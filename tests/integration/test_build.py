"""Projects built for real: resolved from an index, put together and run by an engine."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.assemble import Options
from leoflow_builder.build import BuildResult, build_project
from leoflow_builder.builder import BuiltImage, Describe, PlannedImage, Say, bare_bundle
from leoflow_builder.destination import Destination
from leoflow_builder.failure import EngineError
from leoflow_builder.lock import read_lock
from leoflow_builder.oci.files import LayoutFolder
from leoflow_builder.problem import ProjectError
from leoflow_builder.tools import Tools
from leoflow_builder.wish import BuildWish

SETTINGS = """\
dag_id: built
dependencies: [idna==3.7]
environment: {QUOTED: 'a "b" $HOME \\c', LINES: "one\\ntwo"}
defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}
"""
DAG = """\
import idna
from leoflow import dag, task


@task
def encode():
    return idna.encode("ä").decode()


@dag
def built():
    encode()


built()
"""


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A project with a dag_id of its own, whose images are removed after the test."""
    dag_id = f"built-{uuid4().hex[:12]}"
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "leoflow.yaml").write_text(SETTINGS.replace("built", dag_id))
    (folder / "dag.py").write_text(DAG.replace("@dag\n", f"@dag({dag_id!r})\n"))
    yield folder
    if request.node.get_closest_marker("engine"):
        remove_images(f"leoflow/{dag_id}")


def remove_images(repository: str) -> None:
    order = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository]
    found = subprocess.run(order, capture_output=True, text=True, check=True).stdout.split()
    if found:
        subprocess.run(["docker", "image", "rm", *found], check=True, stdout=subprocess.DEVNULL)


def build(project: Path, home: Path, **options: str) -> BuildResult:
    return build_project(project, home, print, Options(BuildWish(**options)))  # type: ignore[arg-type]


def run(result: BuildResult, *command: str) -> str:
    order = ["docker", "run", "--rm", "--network", "none", "--entrypoint", command[0]]
    done = subprocess.run(
        [*order, result.image.reference, *command[1:]], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def edit(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def digests(result: BuildResult) -> dict[str, str | None]:
    return {layer.name: layer.digest for layer in result.layers}


class NoBuilder:
    """Fails when it is asked to build, so that a test sees whether it was."""

    name = "none"

    def build(
        self,
        images: Sequence[PlannedImage],
        name: str,
        destination: Destination,
        say: Say,
        describe: Describe = bare_bundle,
    ) -> BuiltImage:
        raise EngineError(f"no engine for {name} with {len(images)} in {destination.place}, {say}")


def without_builder(folder: Path) -> Tools:
    return Tools(NoBuilder(), LayoutFolder(folder / "never"))


@pytest.mark.engine
def test_the_image_has_the_project_its_dependencies_and_its_variables(
    project: Path, home: Path
) -> None:
    result = build(project, home)
    code = "import idna, os, json; e = os.environ; print(json.dumps([idna.__version__, \
idna.__cached__, os.getuid(), e['QUOTED'], e['LINES'], os.listdir('/opt/leoflow/dag')]))"
    version, cached, uid, quoted, lines, files = json.loads(run(result, "python3.11", "-c", code))
    assert (version, uid) == ("3.7", 65532)
    assert cached == (
        "/usr/local/lib/python3.11/dist-packages/idna/__pycache__/__init__.cpython-311.pyc"
    )
    assert (quoted, lines) == ('a "b" $HOME \\c', "one\ntwo")
    assert {"dag.py", "leoflow.yaml", "leoflow.lock"} <= set(files)
    assert "dag.json" not in files


@pytest.mark.engine
def test_dag_json_names_the_image_by_tag_and_digest(project: Path, home: Path) -> None:
    result = build(project, home)
    document = json.loads((project / "dag.json").read_text())
    assert document["image"] == {
        "reference": result.image.reference,
        "digest": result.image.digest,
        "platform": result.image.platform,
    }
    assert document["spec"]["dag_id"] == result.spec.dag_id


@pytest.mark.engine
def test_the_json_of_a_build_adds_up(project: Path, home: Path) -> None:
    document = json.loads(json.dumps(build(project, home).as_json()))
    assert [one["name"] for one in document["layers"]] == ["base", "agent", "deps", "dag"]
    assert sum(one["size_bytes"] for one in document["layers"]) == document["compressed_bytes"]
    assert document["dag_json"] == str(project / "dag.json")
    assert document["digest"].startswith("sha256:")


@pytest.mark.engine
def test_a_changed_file_changes_the_dag_layer_alone(project: Path, home: Path) -> None:
    before = build(project, home)
    edit(project / "dag.py", '"ä"', '"ö"')
    after = build(project, home)
    changed = {name for name, digest in digests(after).items() if digest != digests(before)[name]}
    assert after.built
    assert changed == {"dag"}
    assert [one.name for one in after.layers if not one.reused] == ["dag"]


@pytest.mark.engine
def test_an_unchanged_project_builds_nothing(project: Path, home: Path) -> None:
    first, second = build(project, home), build(project, home)
    assert not second.built
    assert (second.image, second.image_id) == (first.image, first.image_id)
    assert digests(second) == digests(first)


@pytest.mark.engine
def test_an_image_that_was_removed_is_built_again(project: Path, home: Path) -> None:
    first = build(project, home)
    subprocess.run(["docker", "image", "rm", first.image.reference], check=True)
    second = build(project, home)
    assert second.built
    assert second.image == first.image


@pytest.mark.engine
def test_a_copy_elsewhere_built_anew_has_the_same_digest(
    project: Path, home: Path, tmp_path: Path
) -> None:
    first = build(project, home)
    copy = shutil.copytree(project, tmp_path / "elsewhere" / "copy")
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    subprocess.run(["docker", "image", "rm", first.image.reference], check=True)
    own_home = tmp_path / "home-of-its-own"
    (own_home / "cache").mkdir(parents=True)
    (own_home / "cache" / "bases").symlink_to((home / "cache" / "bases").resolve())
    second = build(copy, own_home)
    assert second.built
    assert (second.image.digest, digests(second)) == (first.image.digest, digests(first))


@pytest.mark.engine
def test_a_tag_of_one_s_own(project: Path, home: Path) -> None:
    first = build(project, home)
    second = build(project, home, tag="my/own:name")
    assert not second.built
    assert second.image.reference == "my/own:name"
    assert second.image_id == first.image_id
    subprocess.run(["docker", "image", "rm", "my/own:name"], check=True)


@pytest.mark.engine
def test_without_dependencies_the_layer_is_left_out_and_told_as_empty(
    project: Path, home: Path
) -> None:
    edit(project / "leoflow.yaml", "dependencies: [idna==3.7]\n", "")
    edit(project / "dag.py", "import idna", "idna = None")
    result = build(project, home)
    deps = result.layers[2]
    assert (deps.name, deps.digest, deps.size_bytes) == ("deps", None, 0)
    assert [one.size_bytes for one in result.layers if not one.size_bytes] == [0]


def test_a_builder_that_fails_leaves_the_earlier_dag_json(project: Path, home: Path) -> None:
    (project / "dag.json").write_text("earlier")
    with pytest.raises(EngineError):
        build_project(project, home, print, tools=without_builder(project.parent))
    assert (project / "dag.json").read_text() == "earlier"


def test_a_wheel_that_is_not_the_locked_one_is_refused(project: Path, home: Path) -> None:
    with pytest.raises(EngineError):
        build_project(project, home, print, tools=without_builder(project.parent))
    lock = read_lock(project)
    assert lock is not None
    (package,) = lock.targets["linux/amd64"].packages
    text = (project / "leoflow.lock").read_text()
    (project / "leoflow.lock").write_text(text.replace(package.sha256, "0" * 64))
    with pytest.raises(ProjectError, match=r"leoflow\.lock: a wheel is not the one"):
        build_project(project, home, print, tools=without_builder(project.parent))


@pytest.mark.parametrize(
    ("dependency", "message"),
    [
        ("idna==99.99", "no version satisfies 'idna==99.99'"),
        ("leoflow-no-such-package-at-all", "no index has 'leoflow-no-such-package-at-all'"),
        ("docopt==0.6.2", "'docopt==0.6.2' is published as source only"),
    ],
)
def test_a_dependency_that_cannot_be_had_is_told_with_its_line(
    project: Path, home: Path, dependency: str, message: str
) -> None:
    edit(project / "leoflow.yaml", "idna==3.7", dependency)
    with pytest.raises(ProjectError) as caught:
        build_project(project, home, print, tools=without_builder(project.parent))
    problem = caught.value.problems[0]
    assert (problem.file, problem.line) == ("leoflow.yaml", 2)
    assert message in problem.message
    assert not (project / "leoflow.lock").exists()
