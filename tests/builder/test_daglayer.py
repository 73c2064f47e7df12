"""The project's own layer: nothing that a user wrote is left out, nothing else gets in."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from leoflow_builder.daglayer import dag_key, ensure_dag_layer
from leoflow_builder.dagsource import compile_files
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.layer import LayerFolder
from leoflow_builder.problem import ProjectError
from leoflow_builder.projectfile import choose_files
from leoflow_builder.scratch import scratch_folder

HOST = HostInterpreter(Path(sys.executable))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, "dag.py", "x = 1\n")
    write(folder, "sub/steps.py", "y = 2\n")
    write(folder, "data/table.csv", "a,b\n")
    return folder


def write(folder: Path, name: str, text: str = "") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def make(project: Path, home: Path, spec: bytes = b"{}") -> LayerFolder:
    with scratch_folder("test-sources-", project.parent) as scratch:
        sources = compile_files(choose_files(project).chosen, HOST, scratch / "new")
        return ensure_dag_layer(sources, spec, "3.11.2", home)


def test_files_lie_in_the_dag_folder_with_their_spec_beside_it(
    project: Path, tmp_path: Path
) -> None:
    tree = make(project, tmp_path, b'{"a": 1}').tree
    assert (tree / "opt/leoflow/dag/data/table.csv").read_text() == "a,b\n"
    assert (tree / "opt/leoflow/dag.json").read_bytes() == b'{"a": 1}'


def test_python_files_are_compiled_where_they_lie_in_the_image(
    project: Path, tmp_path: Path
) -> None:
    tree = make(project, tmp_path).tree
    compiled = list((tree / "opt/leoflow/dag/sub/__pycache__").glob("steps.*.pyc"))
    assert len(compiled) == 1
    assert b"/opt/leoflow/dag/sub/steps.py" in compiled[0].read_bytes()


def test_a_file_that_is_no_python_is_kept_and_told(project: Path, tmp_path: Path) -> None:
    write(project, "template.py", "{{ name }} = =\n")
    made = make(project, tmp_path)
    assert list(made.facts["not_compiled"]) == ["template.py"]
    assert (made.tree / "opt/leoflow/dag/template.py").exists()


def test_a_copy_with_other_times_and_modes_is_the_same_layer(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "copy"
    shutil.copytree(project, other)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    one, two = make(project, tmp_path / "home1"), make(other, tmp_path / "home2")
    assert one.layer.digest == two.layer.digest


def test_an_unchanged_project_reuses_its_layer(project: Path, tmp_path: Path) -> None:
    make(project, tmp_path)
    assert make(project, tmp_path).layer.reused


def change_text(folder: Path) -> None:
    write(folder, "dag.py", "x = 2\n")


def change_name(folder: Path) -> None:
    (folder / "dag.py").rename(folder / "dag2.py")


def make_executable(folder: Path) -> None:
    (folder / "dag.py").chmod(0o755)


@pytest.mark.parametrize("change", [change_text, change_name, make_executable])
def test_every_change_makes_another_key(project: Path, change: Callable[[Path], None]) -> None:
    before = dag_key(choose_files(project).chosen, b"{}", "3.11.2")
    change(project)
    assert dag_key(choose_files(project).chosen, b"{}", "3.11.2") != before


def test_another_spec_makes_another_key(project: Path) -> None:
    files = choose_files(project).chosen
    assert dag_key(files, b"{}", "3.11.2") != dag_key(files, b"{ }", "3.11.2")


def test_a_link_inside_the_project_stays_a_link(project: Path, tmp_path: Path) -> None:
    (project / "sub/link.py").symlink_to("../dag.py")
    tree = make(project, tmp_path).tree
    assert (tree / "opt/leoflow/dag/sub/link.py").readlink() == Path("../dag.py")


@pytest.mark.parametrize("target", ["../../secret", "/etc/hostname"])
def test_a_link_out_of_the_project_is_refused(project: Path, target: str) -> None:
    (project / "sub/link").symlink_to(target)
    with pytest.raises(ProjectError, match=f"sub/link: is a link to '{target}'"):
        choose_files(project)


def test_a_pipe_is_refused(project: Path) -> None:
    os.mkfifo(project / "pipe")
    with pytest.raises(ProjectError, match="pipe: is neither"):
        choose_files(project)
