"""An image of the user's own as the base, looked into and used by a real engine."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.baseimage import ensure_base
from leoflow_builder.build import build_project
from leoflow_builder.engine import WhalesEngine
from leoflow_builder.failure import BuildError
from leoflow_builder.ownbase import ContainerInterpreter, look_into
from leoflow_builder.problem import ProjectError

pytestmark = pytest.mark.engine
DAG = """\
from leoflow import dag, task
{0}

@task{1}
def step():
    return "true"


@dag
def own():
    step()


own()
"""


@pytest.fixture
def image(home: Path) -> Iterator[str]:
    """An image made of nothing but leoflow's base, so with a Python and without bash."""
    base = ensure_base("3.11", home, print)
    name = f"leoflow-test/own:{uuid4().hex[:12]}"
    subprocess.run(["docker", "import", base.layer_tar, name], check=True, capture_output=True)
    yield name
    order = ["docker", "image", "ls", "--quiet", name]
    found = subprocess.run(order, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["docker", "image", "rm", "--force", *found], check=True, capture_output=True)


def write_project(folder: Path, image: str, decorator: str = "") -> Path:
    folder.mkdir()
    (folder / "leoflow.yaml").write_text(
        f"dag_id: own\nbase_image: {image}\ndependencies: [idna==3.7]\n"
        "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
    )
    (folder / "dag.py").write_text(DAG.format("import idna", decorator))
    return folder


def test_a_project_is_read_compiled_and_built_on_it(image: str, home: Path, tmp_path: Path) -> None:
    result = build_project(write_project(tmp_path / "p", image), home, print)
    order = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python3.11"]
    code = "import idna; print(idna.__version__, idna.__cached__)"
    printed = subprocess.run(
        [*order, result.image.reference, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    subprocess.run(["docker", "image", "rm", result.image.reference], check=True)
    assert printed.split() == [
        "3.7",
        "/usr/local/lib/python3.11/dist-packages/idna/__pycache__/__init__.cpython-311.pyc",
    ]
    assert result.layers[0].size_bytes


def test_a_bash_task_needs_a_bash_in_it(image: str, home: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "p", image, ".bash")
    with pytest.raises(ProjectError, match=r"leoflow\.yaml:2:.* no bash, which task 'step' needs"):
        build_project(project, home, print)


def test_an_image_that_is_not_there_is_told_with_the_command() -> None:
    with pytest.raises(BuildError, match="`docker pull leoflow-test/none:1`"):
        look_into("leoflow-test/none:1", "3.11", WhalesEngine())


def test_an_image_without_a_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    archive = tmp_path / "x.tar"
    subprocess.run(["tar", "-C", tmp_path, "-cf", archive, "x"], check=True)
    name = f"leoflow-test/empty:{uuid4().hex[:12]}"
    subprocess.run(["docker", "import", archive, name], check=True, capture_output=True)
    try:
        with pytest.raises(BuildError, match="no Python on its PATH"):
            look_into(name, "3.11", WhalesEngine())
    finally:
        subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)


def test_code_that_never_ends_is_ended_with_its_container(image: str) -> None:
    python = ContainerInterpreter(image, "python3.11", "3.11")
    with pytest.raises(subprocess.TimeoutExpired):
        python.run(["-c", "import time; time.sleep(600)"], timeout_seconds=3)
    order = ["docker", "ps", "--all", "--quiet", "--filter", f"ancestor={image}"]
    assert subprocess.run(order, capture_output=True, text=True, check=True).stdout == ""


def test_installed_packages_are_seen_with_their_pth_files(image: str, tmp_path: Path) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "installed" / "x.pth").write_text(f"{tmp_path}/more\n")
    (tmp_path / "more" / "extra.py").write_text("VALUE = 5\n")
    python = ContainerInterpreter(image, "python3.11", "3.11", [tmp_path])
    done = python.run(
        ["-c", "import extra, sys; print(extra.VALUE, sys.stdin.read())"],
        path=[tmp_path / "installed"],
        stdin=b"given",
        timeout_seconds=60,
    )
    assert done.stdout.decode().split() == ["5", "given"], done.stderr.decode()
