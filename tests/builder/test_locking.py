"""When leoflow.lock is used, when it is made anew, and whose fault a failure is."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from leoflow_builder.dependencyfile import read_dependencies
from leoflow_builder.failure import BuildError, IndexUnreachable
from leoflow_builder.lock import Lock, LockedBase, LockedPackage, dump_lock, read_lock
from leoflow_builder.locking import (
    Basis,
    Locksmith,
    Upgrade,
    as_error,
    as_lock_error,
    ensure_lock,
    remake_lock,
    write_lock,
)
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project, load_project
from leoflow_builder.requirement import name_of
from leoflow_builder.resolvefailure import FailureKind, ResolveFailure
from leoflow_builder.target import Target
from leoflow_builder.wheeltool import Unresolvable, Wanted

TARGET = Target("3.11.2", "2.36", "amd64")
AMD = Basis("linux/amd64", TARGET, LockedBase("base", "sha256:1"))
ARM = Basis("linux/arm64", replace(TARGET, architecture="arm64"), LockedBase("base", "sha256:2"))
HOST = Basis("host/linux/amd64", replace(TARGET, glibc="2.41"))


class FakeTool:
    """An index with one version of everything, which keeps wishes and counts its callers."""

    def __init__(self, newest: str = "1", failure: ResolveFailure | None = None) -> None:
        self.asked: list[Wanted] = []
        self._newest = newest
        self._failure = failure

    def resolve(self, wanted: Wanted, target: Target) -> list[LockedPackage]:
        self.asked.append(wanted)
        if self._failure:
            raise Unresolvable(self._failure)
        names = [name_of(one) for one in wanted.requirements]
        versions = {name: wanted.preferred.get(name, self._newest) for name in names}
        return [LockedPackage(name, v, f"{name}-{v}.whl", "aa") for name, v in versions.items()]

    def unpack(self, packages: Sequence[LockedPackage], target: Target, folder: Path) -> None:
        raise NotImplementedError


def project(folder: Path, *dependencies: str) -> Project:
    lines = "".join(f"  - {one}\n" for one in dependencies)
    (folder / "leoflow.yaml").write_text(f"dag_id: x\ndependencies:\n{lines or '  []'}\n")
    (folder / "dag.py").touch()
    return load_project(folder)


class Workshop:
    """A project folder, and what is said while it is locked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def smith(self, tool: FakeTool, *dependencies: str) -> Locksmith:
        known = project(self.folder, *dependencies)
        return Locksmith(known, read_dependencies(known), lambda: tool, self.said.append)

    def lock(
        self,
        *dependencies: str,
        tool: FakeTool | None = None,
        basis: Basis = AMD,
        locked: bool = False,
    ) -> Lock:
        smith = self.smith(tool or FakeTool(), *dependencies)
        return ensure_lock(read_lock(self.folder), smith, basis, locked)

    def text(self) -> str:
        return (self.folder / "leoflow.lock").read_text()


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def versions(lock: Lock, platform: str = "linux/amd64") -> dict[str, str]:
    return {one.name: one.version for one in lock.targets[platform].packages}


def test_a_missing_lock_is_written(shop: Workshop) -> None:
    lock = shop.lock("pandas")
    assert read_lock(shop.folder) == lock
    assert shop.said[-1] == "wrote leoflow.lock with 1 package"


def test_a_lock_that_fits_asks_no_index_and_says_nothing(shop: Workshop) -> None:
    first = shop.lock("pandas")
    shop.said.clear()
    tool = FakeTool()
    assert shop.lock("pandas", tool=tool) == first
    assert (tool.asked, shop.said) == ([], [])


def test_changed_dependencies_make_a_new_lock_and_are_told(shop: Workshop) -> None:
    shop.lock("pandas")
    shop.said.clear()
    assert versions(shop.lock("polars")) == {"polars": "1"}
    assert "'polars' is new, 'pandas' is gone" in shop.said[0]


def test_a_new_dependency_leaves_the_others_where_they_are(shop: Workshop) -> None:
    shop.lock("pandas", tool=FakeTool("1"))
    lock = shop.lock("pandas", "polars", tool=FakeTool("2"))
    assert versions(lock) == {"pandas": "1", "polars": "2"}


def test_changed_dependencies_are_resolved_for_every_locked_platform(shop: Workshop) -> None:
    shop.lock("pandas")
    shop.lock("pandas", basis=ARM)
    lock = shop.lock("polars")
    assert versions(lock, "linux/amd64") == versions(lock, "linux/arm64") == {"polars": "1"}
    assert lock.targets["linux/arm64"].base == ARM.base


def test_another_platform_is_added_with_the_same_versions(shop: Workshop) -> None:
    shop.lock("pandas", tool=FakeTool("1"))
    lock = shop.lock("pandas", tool=FakeTool("2"), basis=ARM)
    assert versions(lock, "linux/arm64") == versions(lock, "linux/amd64") == {"pandas": "1"}
    assert "is completed: it was made for linux/amd64, and not for linux/arm64" in shop.said[-3]


def test_another_base_keeps_the_packages_and_is_told(shop: Workshop) -> None:
    first = shop.lock("pandas")
    shop.said.clear()
    tool = FakeTool()
    newer = replace(AMD, base=LockedBase("base", "sha256:9"))
    second = shop.lock("pandas", tool=tool, basis=newer)
    assert versions(second) == versions(first)
    assert shop.said == ["leoflow.lock: the base image is 'base sha256:9' now, was 'base sha256:1'"]
    assert tool.asked == []


def test_without_dependencies_no_index_is_asked(shop: Workshop) -> None:
    tool = FakeTool()
    assert versions(shop.lock(tool=tool)) == {}
    assert tool.asked == []


def test_an_upgrade_of_everything_keeps_no_version(shop: Workshop) -> None:
    known = shop.lock("pandas", "polars")
    smith = shop.smith(FakeTool("2"), "pandas", "polars")
    lock = remake_lock(known, smith, [AMD], Upgrade(everything=True))
    assert versions(lock) == {"pandas": "2", "polars": "2"}


def test_an_upgrade_of_one_keeps_the_others(shop: Workshop) -> None:
    known = shop.lock("pandas", "polars")
    smith = shop.smith(FakeTool("2"), "pandas", "polars")
    lock = remake_lock(known, smith, [AMD], Upgrade(names=frozenset({"polars"})))
    assert versions(lock) == {"pandas": "1", "polars": "2"}


def test_what_is_not_locked_cannot_be_upgraded(shop: Workshop) -> None:
    known = shop.lock("pandas")
    upgrade = Upgrade(names=frozenset({"panda"}))
    with pytest.raises(ProjectError, match=r"'panda' is not in it.* Did you mean 'pandas'"):
        remake_lock(known, shop.smith(FakeTool(), "pandas"), [AMD], upgrade)


def test_what_was_locked_for_a_host_goes_once_there_are_image_s_wheels(shop: Workshop) -> None:
    shop.lock("pandas", basis=HOST)
    assert list(shop.lock("pandas").targets) == ["linux/amd64"]


def test_what_a_host_with_an_older_glibc_needs_stays(shop: Workshop) -> None:
    shop.lock("pandas", basis=replace(HOST, target=replace(TARGET, glibc="2.31")))
    assert list(shop.lock("pandas").targets) == ["host/linux/amd64", "linux/amd64"]


@pytest.mark.parametrize(
    ("dependency", "basis", "words"),
    [
        ("polars", AMD, "does not fit the project: the dependencies changed: 'polars' is new"),
        ("pandas", ARM, "was made for linux/amd64, and not for linux/arm64"),
        ("pandas", replace(AMD, base=LockedBase("base", "sha256:9")), "the base image is"),
        ("pandas", replace(AMD, target=replace(TARGET, glibc="2.41")), "with glibc 2.36"),
    ],
)
def test_with_locked_a_difference_is_told_and_nothing_written(
    shop: Workshop, dependency: str, basis: Basis, words: str
) -> None:
    shop.lock("pandas")
    before = shop.text()
    with pytest.raises(ProjectError) as caught:
        shop.lock(dependency, basis=basis, locked=True)
    assert caught.value.problems[0].file == "leoflow.lock"
    assert words in str(caught.value)
    assert "`leoflow lock`" in str(caught.value)
    assert shop.text() == before


def test_with_locked_a_missing_lock_is_an_error(shop: Workshop) -> None:
    with pytest.raises(ProjectError, match=r"leoflow\.lock: there is none\. Make it with"):
        shop.lock("pandas", locked=True)
    assert not (shop.folder / "leoflow.lock").exists()


def test_with_locked_a_lock_that_fits_is_taken(shop: Workshop) -> None:
    assert shop.lock("pandas") == shop.lock("pandas", locked=True)


@pytest.mark.parametrize("kind", ["no_version", "network", "conflict", "other"])
def test_a_failure_leaves_the_old_lock(shop: Workshop, kind: FailureKind) -> None:
    shop.lock("pandas")
    before = shop.text()
    failing = FakeTool(failure=ResolveFailure(kind, "no", "polars"))
    with pytest.raises((ProjectError, BuildError)):
        shop.lock("polars", tool=failing)
    assert shop.text() == before


@pytest.mark.parametrize(
    ("requirement", "line"),
    [("Polars==99", 4), ("pandas", 3), ("deep-inside<2", 2), (None, 2)],
)
def test_a_failure_points_at_the_line_of_the_dependency(
    tmp_path: Path, requirement: str | None, line: int
) -> None:
    failure = ResolveFailure("no_version", "no version", requirement)
    error = as_error(failure, read_dependencies(project(tmp_path, "pandas", "polars==99")))
    assert isinstance(error, ProjectError)
    assert (error.problems[0].file, error.problems[0].line) == ("leoflow.yaml", line)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("network", IndexUnreachable),
        ("other", BuildError),
        ("hash", ProjectError),
        ("unknown_hash", ProjectError),
        ("conflict", ProjectError),
        ("sdist_only", ProjectError),
    ],
)
def test_whose_fault_a_failure_is(
    tmp_path: Path, kind: FailureKind, error: type[Exception]
) -> None:
    found = as_error(ResolveFailure(kind, "text"), read_dependencies(project(tmp_path, "pandas")))
    assert type(found) is error


def test_a_locked_wheel_that_is_gone_is_the_lock_s_matter(tmp_path: Path) -> None:
    failure = ResolveFailure("no_version", "text", "pandas==1.0")
    error = as_lock_error(failure, read_dependencies(project(tmp_path, "pandas")))
    assert isinstance(error, ProjectError)
    assert error.problems[0].file == "leoflow.lock"
    assert "'pandas==1.0'" in str(error)
    assert "`leoflow lock --upgrade`" in str(error)


def test_a_network_failure_is_none_of_the_lock_s(tmp_path: Path) -> None:
    failure = ResolveFailure("network", "text")
    found = as_lock_error(failure, read_dependencies(project(tmp_path, "pandas")))
    assert type(found) is IndexUnreachable


@pytest.mark.parametrize(
    ("number", "words"),
    [(30, "Read-only .*writable"), (28, "No space left on device. Free some space")],
)
def test_a_lock_that_cannot_be_written_is_told_with_the_fix(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, {30: "Read-only file system", 28: "No space left on device"}[number])

    lock = shop.lock("pandas")
    before = shop.text()
    with monkeypatch.context() as patch:
        for name in ("write_bytes", "unlink"):
            patch.setattr(Path, name, refuse)
        with pytest.raises(BuildError, match=rf"leoflow\.lock' cannot be written: {words}"):
            write_lock(shop.folder, lock)
    assert shop.text() == before


def test_two_processes_that_write_one_lock_leave_a_whole_one(shop: Workshop) -> None:
    locks = [shop.lock("pandas"), shop.lock("pandas", "polars")]
    children = []
    for lock in locks:
        child = os.fork()
        if child == 0:
            for _ in range(50):
                write_lock(shop.folder, lock)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert shop.text() in [dump_lock(one) for one in locks]
    assert [one.name for one in shop.folder.glob(".leoflow*")] == []
