"""When leoflow.lock is used, when it is made anew, and whose fault a failure is."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from leoflow_builder.failure import BuildError, IndexUnreachable
from leoflow_builder.lock import LockedPackage, read_lock
from leoflow_builder.locking import as_error, as_lock_error, ensure_lock, remake_lock
from leoflow_builder.pextool import Pex, Unresolvable
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project, load_project
from leoflow_builder.resolvefailure import ResolveFailure
from leoflow_builder.target import Target

TARGET = Target("3.11.2", "2.36", "amd64")


class FakePex(Pex):
    """An index that has version 1 of everything, and counts how often it is asked."""

    def __init__(self, failure: ResolveFailure | None = None) -> None:
        self.asked: list[list[str]] = []
        self._failure = failure

    def resolve(self, requirements: Iterable[str], target: Target) -> list[LockedPackage]:
        self.asked.append(list(requirements))
        if self._failure:
            raise Unresolvable(self._failure)
        return [LockedPackage(name, "1", f"{name}-1.whl", "aa") for name in self.asked[-1]]


def project(folder: Path, *dependencies: str) -> Project:
    lines = "".join(f"  - {one}\n" for one in dependencies)
    (folder / "leoflow.yaml").write_text(f"dag_id: x\ndependencies:\n{lines or '  []'}\n")
    (folder / "dag.py").touch()
    return load_project(folder)


@pytest.fixture
def said() -> list[str]:
    return []


def test_a_missing_lock_is_written(tmp_path: Path, said: list[str]) -> None:
    lock = ensure_lock(project(tmp_path, "pandas"), TARGET, "base", FakePex(), said.append)
    assert read_lock(tmp_path) == lock
    assert said[-1] == "wrote leoflow.lock with 1 package"


def test_a_lock_that_fits_asks_no_index_and_says_nothing(tmp_path: Path, said: list[str]) -> None:
    pex = FakePex()
    first = ensure_lock(project(tmp_path, "pandas"), TARGET, "base", pex, print)
    assert ensure_lock(project(tmp_path, "pandas"), TARGET, "base", pex, said.append) == first
    assert (len(pex.asked), said) == (1, [])


def test_changed_dependencies_make_a_new_lock_and_are_told(tmp_path: Path, said: list[str]) -> None:
    ensure_lock(project(tmp_path, "pandas"), TARGET, "base", FakePex(), print)
    lock = ensure_lock(project(tmp_path, "polars"), TARGET, "base", FakePex(), said.append)
    assert [one.name for one in lock.packages] == ["polars"]
    assert "'polars' is new, 'pandas' is gone" in said[0]


def test_another_base_keeps_the_packages_and_is_told(tmp_path: Path, said: list[str]) -> None:
    pex = FakePex()
    first = ensure_lock(project(tmp_path, "pandas"), TARGET, "old", pex, print)
    second = ensure_lock(project(tmp_path, "pandas"), TARGET, "new", pex, said.append)
    assert (second.packages, second.base) == (first.packages, "new")
    assert said == ["leoflow.lock: the base image is 'new' now, was 'old'"]
    assert len(pex.asked) == 1


def test_remaking_asks_the_index_though_the_lock_fits(tmp_path: Path) -> None:
    pex = FakePex()
    ensure_lock(project(tmp_path, "pandas"), TARGET, "base", pex, print)
    remake_lock(project(tmp_path, "pandas"), TARGET, "base", pex, print)
    assert len(pex.asked) == 2


def test_without_dependencies_no_index_is_asked(tmp_path: Path) -> None:
    pex = FakePex()
    lock = ensure_lock(project(tmp_path), TARGET, "base", pex, print)
    assert (lock.packages, pex.asked) == ((), [])


def test_a_failure_leaves_the_old_lock(tmp_path: Path) -> None:
    ensure_lock(project(tmp_path, "pandas"), TARGET, "base", FakePex(), print)
    before = (tmp_path / "leoflow.lock").read_bytes()
    failing = FakePex(ResolveFailure("no_version", "no", "polars"))
    with pytest.raises(ProjectError):
        ensure_lock(project(tmp_path, "polars"), TARGET, "base", failing, print)
    assert (tmp_path / "leoflow.lock").read_bytes() == before


@pytest.mark.parametrize(
    ("requirement", "line"),
    [("Polars==99", 4), ("pandas", 3), ("deep-inside<2", 2), (None, 2)],
)
def test_a_failure_points_at_the_line_of_the_dependency(
    tmp_path: Path, requirement: str | None, line: int
) -> None:
    failure = ResolveFailure("no_version", "no version", requirement)
    error = as_error(failure, project(tmp_path, "pandas", "polars==99"))
    assert isinstance(error, ProjectError)
    assert (error.problems[0].file, error.problems[0].line) == ("leoflow.yaml", line)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("network", IndexUnreachable),
        ("other", BuildError),
        ("hash", ProjectError),
        ("conflict", ProjectError),
        ("sdist_only", ProjectError),
    ],
)
def test_whose_fault_a_failure_is(tmp_path: Path, kind: str, error: type[Exception]) -> None:
    found = as_error(ResolveFailure(kind, "text"), project(tmp_path, "pandas"))
    assert type(found) is error


def test_a_locked_wheel_that_is_gone_is_the_lock_s_matter(tmp_path: Path) -> None:
    failure = ResolveFailure("no_version", "text", "pandas==1.0")
    error = as_lock_error(failure, project(tmp_path, "pandas"))
    assert isinstance(error, ProjectError)
    assert error.problems[0].file == "leoflow.lock"
    assert "'pandas==1.0'" in str(error)
    assert "`leoflow lock --upgrade`" in str(error)


def test_a_network_failure_is_none_of_the_lock_s(tmp_path: Path) -> None:
    failure = ResolveFailure("network", "text")
    found = as_lock_error(failure, project(tmp_path, "pandas"))
    assert type(found) is IndexUnreachable


def test_a_project_folder_that_cannot_be_written_to_is_told_with_the_fix(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    wanted = project(tmp_path)
    for name in ("write_text", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    with pytest.raises(BuildError, match=r"leoflow\.lock' cannot be written: Read-only .*writable"):
        ensure_lock(wanted, TARGET, "base", FakePex(), said.append)
