"""Where the subprocess mode can run, and which lock it takes."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from leoflow_builder.failure import BuildError
from leoflow_builder.host import Host, host_target, prepare_host, refusal, runs_on, this_host
from leoflow_builder.lock import Lock, LockedPackage, dump_lock, make_lock, read_lock
from leoflow_builder.pextool import Pex
from leoflow_builder.project import Project, load_project
from leoflow_builder.target import Target

LINUX = Host("Linux", "x86_64", Path("/usr/bin/python3"), "3.11.7", "CPython", "2.36")
MINOR = f"3.{sys.version_info.minor}"


def test_the_image_s_platform_is_not_refused() -> None:
    assert refusal(LINUX, "3.11") is None


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (replace(LINUX, system="Darwin", machine="arm64", glibc=None), "Darwin on arm64"),
        (replace(LINUX, glibc=None), "Linux on x86_64 without glibc"),
        (replace(LINUX, machine="riscv64"), "Linux on riscv64"),
        (replace(LINUX, python_version="3.12.1"), "CPython 3.12.1"),
        (replace(LINUX, implementation="PyPy"), "PyPy 3.11.7"),
    ],
)
def test_another_one_is_refused_with_the_fix(host: Host, words: str) -> None:
    reason = str(refusal(host, "3.11"))
    assert words in reason
    assert "`--executor docker`" in reason


@pytest.mark.parametrize(
    ("locked", "here", "runs"),
    [
        ("2.36", "2.36", True),
        ("2.36", "2.41", True),
        ("2.36", "2.31", False),
        ("2.9", "2.17", True),
    ],
)
def test_wheels_run_on_the_glibc_they_were_locked_for_and_later(
    locked: str, here: str, runs: bool
) -> None:
    lock = make_lock([], Target("3.11.2", locked, "amd64"), "b", [])
    assert runs_on(lock, Target("3.11.2", here, "amd64")) is runs


class FakePex(Pex):
    """Finds version 1 of everything and unpacks one empty module for each."""

    def __init__(self) -> None:
        self.resolved = 0

    def resolve(self, requirements: Iterable[str], target: Target) -> list[LockedPackage]:
        self.resolved += 1
        return [LockedPackage(name, "1", f"{name}-1.whl", "aa") for name in requirements]

    def unpack(self, lock: Lock, target: Target, folder: Path) -> None:
        folder.mkdir()
        for package in lock.packages:
            (folder / f"{package.name}.py").touch()


def project(folder: Path, python_version: str = MINOR) -> Project:
    folder.mkdir()
    text = f"dag_id: x\npython_version: '{python_version}'\ndependencies: [tool]\n"
    (folder / "leoflow.yaml").write_text(text)
    (folder / "dag.py").touch()
    return load_project(folder)


def test_the_packages_can_be_imported_here(tmp_path: Path) -> None:
    found = prepare_host(project(tmp_path / "p"), tmp_path, print, FakePex())
    done = found.interpreter.run(["-c", "import tool"], path=found.site_path, timeout_seconds=30)
    assert done.returncode == 0, done.stderr.decode()


def test_the_lock_of_an_image_with_an_older_glibc_is_kept_as_it_is(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    image = replace(host_target(this_host()), glibc="2.17")
    packages = [LockedPackage("tool", "0.9", "tool-0.9.whl", "bb")]
    text = dump_lock(make_lock(["tool"], image, "image base", packages))
    (known.folder / "leoflow.lock").write_text(text)
    pex = FakePex()
    prepare_host(known, tmp_path, print, pex)
    assert (pex.resolved, (known.folder / "leoflow.lock").read_text()) == (0, text)


def test_a_missing_lock_is_made_for_this_host(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    prepare_host(known, tmp_path, print, FakePex())
    lock = read_lock(known.folder)
    assert lock is not None
    assert lock.glibc == this_host().glibc


def test_another_python_than_leoflow_s_is_refused(tmp_path: Path) -> None:
    other = "3.9" if MINOR != "3.9" else "3.10"
    with pytest.raises(BuildError, match=f"wants Python {other}"):
        prepare_host(project(tmp_path / "p", other), tmp_path, print, FakePex())
