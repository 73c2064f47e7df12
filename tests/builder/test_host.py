"""Where the subprocess mode can run, and which lock it takes."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from leoflow_builder.failure import BuildError
from leoflow_builder.host import Host, host_target, prepare_host, refusal, this_host
from leoflow_builder.lock import Lock, LockedPackage, dump_lock, locked_target, read_lock
from leoflow_builder.locking import runs_with
from leoflow_builder.lockproject import lock_project
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project, load_project
from leoflow_builder.requirement import name_of
from leoflow_builder.target import Target
from leoflow_builder.wheeltool import Wanted

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
    assert runs_with(locked, here) is runs


class FakeTool:
    """Finds version 1 of everything and unpacks one empty module for each."""

    def __init__(self) -> None:
        self.resolved = 0

    def resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        self.resolved += 1
        names = [name_of(one) for one in wanted.requirements]
        return [LockedPackage(name, "1", f"{name}-1.whl", "aa") for name in names]

    def unpack(self, packages: Sequence[LockedPackage], target: Target, folder: Path) -> None:
        folder.mkdir()
        for package in packages:
            (folder / f"{package.name}.py").touch()


def project(folder: Path, python_version: str = MINOR) -> Project:
    folder.mkdir()
    text = f"dag_id: x\npython_version: '{python_version}'\ndependencies: [tool]\n"
    (folder / "leoflow.yaml").write_text(text)
    (folder / "dag.py").touch()
    return load_project(folder)


KEY = f"host/{host_target(this_host()).platform}"
PLATFORM = host_target(this_host()).platform


def lock_for(known: Project, glibc: str, *requirements: str, key: str = PLATFORM) -> str:
    target = replace(host_target(this_host()), glibc=glibc)
    packages = [LockedPackage("tool", "0.9", "tool-0.9.whl", "bb")]
    lock = Lock(MINOR, requirements or ("tool",)).with_target(
        key, locked_target(target, None, packages)
    )
    (known.folder / "leoflow.lock").write_text(dump_lock(lock))
    return dump_lock(lock)


def test_the_packages_can_be_imported_here(tmp_path: Path) -> None:
    found = prepare_host(project(tmp_path / "p"), tmp_path, print, make_tool=FakeTool)
    done = found.interpreter.run(["-c", "import tool"], path=found.site_path, timeout_seconds=30)
    assert done.returncode == 0, done.stderr.decode()


def test_the_lock_of_an_image_with_an_older_glibc_is_kept_as_it_is(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    text = lock_for(known, "2.17")
    tool = FakeTool()
    found = prepare_host(known, tmp_path, print, make_tool=lambda: tool)
    assert [one.version for one in found.packages] == ["0.9"]
    assert (tool.resolved, (known.folder / "leoflow.lock").read_text()) == (0, text)


def test_a_missing_lock_is_made_for_this_host(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    prepare_host(known, tmp_path, print, make_tool=FakeTool)
    lock = read_lock(known.folder)
    assert lock is not None
    assert lock.targets[KEY].glibc == this_host().glibc


def test_a_lock_without_this_host_s_platform_is_refused_with_the_fix(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    text = lock_for(known, "2.999")
    with pytest.raises(BuildError) as caught:
        prepare_host(known, tmp_path, print, make_tool=FakeTool)
    assert f"is for {PLATFORM} with glibc 2.999, and this host is" in str(caught.value)
    assert "`leoflow lock --platform host`" in str(caught.value)
    assert "`--executor docker`" in str(caught.value)
    assert (known.folder / "leoflow.lock").read_text() == text


def test_what_is_locked_for_a_host_is_used(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    lock_for(known, this_host().glibc or "", key=KEY)
    found = prepare_host(known, tmp_path, print, make_tool=FakeTool)
    assert [one.version for one in found.packages] == ["0.9"]


def test_a_host_is_locked_on_request(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    lock_project(known, tmp_path, print, platforms=["host"], make_tool=FakeTool)
    lock = read_lock(known.folder)
    assert lock is not None
    assert list(lock.targets) == [KEY]


def test_changed_dependencies_are_locked_anew_for_the_image(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    lock_for(known, "2.17", "other")
    found = prepare_host(known, tmp_path, print, make_tool=FakeTool)
    assert list(found.lock.targets) == [PLATFORM]
    assert found.lock.requirements == ("tool",)


def test_with_locked_nothing_is_written(tmp_path: Path) -> None:
    known = project(tmp_path / "p")
    with pytest.raises(ProjectError, match="there is none"):
        prepare_host(known, tmp_path, print, locked=True, make_tool=FakeTool)
    text = lock_for(known, "2.17", "other")
    with pytest.raises(ProjectError, match="'tool' is new"):
        prepare_host(known, tmp_path, print, locked=True, make_tool=FakeTool)
    assert (known.folder / "leoflow.lock").read_text() == text


def test_another_python_than_leoflow_s_is_refused(tmp_path: Path) -> None:
    other = "3.9" if MINOR != "3.9" else "3.10"
    with pytest.raises(BuildError, match=f"wants Python {other}"):
        prepare_host(project(tmp_path / "p", other), tmp_path, print, make_tool=FakeTool)
