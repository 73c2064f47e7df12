"""Images of the user's own that an engine has to run: what this host cannot start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.baseimage import ensure_base
from leoflow_builder.build import build_project
from leoflow_builder.oci.engine_images import open_images
from leoflow_builder.oci.engine_store import EngineStore
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.ownimage.containerpython import ContainerInterpreter
from leoflow_builder.problem import ProjectError
from leoflow_builder.registry.reference import parse_reference

sys.path.insert(0, str(Path(__file__).parent))

from foreignbase import make_foreign_base, with_layer

pytestmark = pytest.mark.engine
SCRIPT = b"""#!/usr/local/bin/python3.11
import os, sys
os.execv("/usr/local/bin/python3.11", ["/usr/local/bin/python3.11", *sys.argv[1:]])
"""
DAG = """\
import idna
from leoflow import dag, task


@task{0}
def step():
    return "true"


@dag
def own():
    step()


own()
"""


@pytest.fixture
def foreign(shared_home: Path) -> OciImage:
    return make_foreign_base(ensure_base("3.11", shared_home, print))


@pytest.fixture
def image(foreign: OciImage, tmp_path: Path) -> Iterator[str]:
    """The name of an image in the engine."""
    name = f"leoflow-test/own:{uuid4().hex[:12]}"
    bundle = Bundle(str(parse_reference(name)), (foreign,))
    EngineStore(open_images(), tmp_path / "memory").receive(bundle, print)
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], check=True, capture_output=True)


def write_project(folder: Path, image: str, decorator: str = "") -> Path:
    folder.mkdir()
    (folder / "leoflow.yaml").write_text(
        f"dag_id: own\nbase_image: {image}\ndependencies: [idna==3.7]\n"
        "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
    )
    (folder / "dag.py").write_text(DAG.format(decorator))
    return folder


def test_a_project_is_read_compiled_and_built_on_it(image: str, home: Path, tmp_path: Path) -> None:
    result = build_project(write_project(tmp_path / "p", image), home, print)
    order = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python3.11"]
    code = "import idna, sys; print(idna.__version__, idna.__cached__)"
    printed = subprocess.run(
        [*order, result.image.reference, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    subprocess.run(["docker", "image", "rm", result.image.reference], check=True)
    version, cached = printed.split()
    assert version == "3.7"
    assert cached.endswith("/idna/__pycache__/__init__.cpython-311.pyc")
    assert result.layers[0].size_bytes


def test_a_bash_task_needs_a_bash_in_it(image: str, home: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "p", image, ".bash")
    with pytest.raises(ProjectError, match=r"leoflow\.yaml:2:.* no bash, which task 'step' needs"):
        build_project(project, home, print)


def test_a_python_that_only_a_container_can_start_is_started_in_one(
    foreign: OciImage, home: Path, tmp_path: Path
) -> None:
    name = f"leoflow-test/own:{uuid4().hex[:12]}"
    image = with_layer(foreign, {"odd/python3.11": SCRIPT}, Env=["PATH=/odd"])
    bundle = Bundle(str(parse_reference(name)), (image,))
    EngineStore(open_images(), tmp_path / "memory").receive(bundle, print)
    try:
        project = write_project(tmp_path / "p", name)
        result = build_project(project, home, print)
    finally:
        subprocess.run(["docker", "image", "rm", "--force", name], check=True, capture_output=True)
    subprocess.run(["docker", "image", "rm", result.image.reference], check=True)
    assert result.image.platform == "linux/amd64"


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
