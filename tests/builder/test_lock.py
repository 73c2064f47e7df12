"""leoflow.lock as a value: what it holds, when it does not fit any more, what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.lock import (
    Lock,
    LockedBase,
    LockedPackage,
    LockedSource,
    LockedTarget,
    changed_inputs,
    changed_target,
    dump_lock,
    locked_target,
    parse_lock,
    read_lock,
)
from leoflow_builder.problem import ProjectError
from leoflow_builder.requirement import normalise
from leoflow_builder.target import Target
from leoflow_builder.wheeltool import pinned_requirements

TARGET = Target("3.11.2", "2.36", "amd64")
PANDAS = LockedPackage("pandas", "2.2.3", "pandas-2.2.3-cp311-cp311-linux_x86_64.whl", "aa")
SIX = LockedPackage("six", "1.17.0", "six-1.17.0-py2.py3-none-any.whl", "bb")
LIBC = DebPackage("libc6", "2.36-9", "amd64", "cc")
BASE = LockedBase("python3.11-plain", "sha256:dd", (LIBC,))


def lock(*requirements: str) -> Lock:
    known = Lock("3.11", normalise(requirements))
    return known.with_target("linux/amd64", locked_target(TARGET, BASE, [SIX, PANDAS]))


def test_packages_are_sorted_by_name() -> None:
    packages = lock("pandas").targets["linux/amd64"].packages
    assert [one.name for one in packages] == ["pandas", "six"]


def test_platforms_are_sorted() -> None:
    both = (
        lock().with_target("linux/arm64", LockedTarget("2.36")).with_target("a", LockedTarget("1"))
    )
    assert list(both.targets) == ["a", "linux/amd64", "linux/arm64"]


NAMES = st.text("abcxyz019-", min_size=1, max_size=9)
PACKAGES = st.builds(LockedPackage, NAMES, st.just("1.0"), NAMES, NAMES)


DEBS = st.builds(DebPackage, NAMES, NAMES, st.just("all"), NAMES)
BASES = st.none() | st.builds(LockedBase, NAMES, NAMES, st.lists(DEBS).map(tuple))
TARGETS = st.builds(
    LockedTarget, st.just("2.36"), BASES, st.lists(DEBS).map(tuple), st.lists(PACKAGES).map(tuple)
)
SOURCES = st.none() | st.builds(LockedSource, NAMES, NAMES)
LISTS = st.lists(NAMES).map(tuple)
LOCKS = st.builds(Lock, NAMES, LISTS, SOURCES, LISTS, st.dictionaries(NAMES, TARGETS))


@given(LOCKS)
def test_a_lock_survives_writing_and_reading(written: Lock) -> None:
    assert parse_lock(dump_lock(written)) == written


def test_a_package_is_a_group_of_lines_of_its_own() -> None:
    before = dump_lock(lock("pandas")).splitlines()
    newer = LockedPackage("six", "1.18.0", "six-1.18.0-py3-none-any.whl", "cc")
    changed = lock("pandas").with_target(
        "linux/amd64", locked_target(TARGET, BASE, [PANDAS, newer])
    )
    after = dump_lock(changed).splitlines()
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 3


def test_it_names_no_address() -> None:
    assert "://" not in dump_lock(lock("pandas"))


def test_reading_a_lock_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys; from leoflow_builder.lock import read_lock; "
        "print([m for m in ('packaging', 'pydantic', 'pex', 'zstandard') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.permutations(["pandas>=2", "six", "Requests[socks]<3"]))
def test_the_order_of_dependencies_does_not_matter(dependencies: list[str]) -> None:
    known = lock("pandas>=2", "six", "Requests[socks]<3")
    assert changed_inputs(known, "3.11", dependencies) is None


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("Pandas>=2", "pandas >= 2"),
        ("ruamel.yaml", "ruamel_yaml"),
        ("a>=1,<2", "a<2,>=1"),
        ("a; python_version<'3.12'", 'a ; python_version < "3.12"'),
    ],
)
def test_another_spelling_is_no_change(before: str, now: str) -> None:
    assert changed_inputs(lock(before), "3.11", [now]) is None


def test_a_changed_dependency_is_named() -> None:
    reason = changed_inputs(lock("pandas>=2"), "3.11", ["pandas>=3"])
    assert reason == "the dependencies changed: 'pandas>=3' is new, 'pandas>=2' is gone"


def test_another_python_makes_a_lock_stale() -> None:
    reason = changed_inputs(lock("pandas"), "3.13", ["pandas"])
    assert reason == "it was made for Python 3.11, and the project has 3.13"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target("3.11.2", "2.36", "arm64"), "for linux/amd64, and not for linux/arm64"),
        (Target("3.11.2", "2.41", "amd64"), "the image has glibc 2.41"),
    ],
)
def test_another_platform_is_not_in_the_lock(target: Target, words: str) -> None:
    reason = changed_target(lock("pandas"), target.platform, target)
    assert reason is not None
    assert words in reason


def test_another_patch_version_of_python_does_not() -> None:
    assert changed_target(lock("pandas"), "linux/amd64", Target("3.11.9", "2.36", "amd64")) is None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (LockedSource("requirements.txt", "1"), "are in 'requirements.txt' now, and were in"),
        (None, None),
    ],
)
def test_the_file_that_the_dependencies_are_from_counts(
    source: LockedSource | None, words: str | None
) -> None:
    reason = changed_inputs(lock("pandas"), "3.11", ["pandas"], source)
    assert (words in reason) if words and reason else reason is None


def test_other_system_packages_are_named() -> None:
    reason = changed_inputs(lock(), "3.11", [], None, ["libpq5"])
    assert reason == "the system packages changed: 'libpq5' is new"


def test_the_installer_gets_exact_versions_with_hashes() -> None:
    expected = "pandas==2.2.3 --hash=sha256:aa\nsix==1.17.0 --hash=sha256:bb\n"
    assert pinned_requirements([PANDAS, SIX]) == expected


def test_no_lock_is_none(tmp_path: Path) -> None:
    assert read_lock(tmp_path) is None


def documents() -> list[tuple[str, str]]:
    good = json.loads(dump_lock(lock("pandas")))
    target = good["targets"]["linux/amd64"]
    bad = {**target, "packages": [{**target["packages"][0], "sha256": 1}]}
    return [
        ("is not JSON", "{"),
        ("is not JSON", dump_lock(lock("pandas"))[:100]),
        ("it has to be an object", "[]"),
        ("it has no 'schema_version'", "{}"),
        ("nested too deeply", "[" * 100_000),
        ("it has no 'targets'", json.dumps({k: v for k, v in good.items() if k != "targets"})),
        ("has schema_version '1'", json.dumps({**good, "schema_version": 1})),
        ("has schema_version '3'", json.dumps({**good, "schema_version": 3})),
        ("it has 'index', which is unknown", json.dumps({**good, "index": "x"})),
        ("'python_version' is 1, and has to be text", json.dumps({**good, "python_version": 1})),
        ("'requirements' has to be a list", json.dumps({**good, "requirements": "x"})),
        ("'targets' has to be an object", json.dumps({**good, "targets": []})),
        (
            "'targets['linux/amd64'].packages[0].sha256' is 1",
            json.dumps({**good, "targets": {"linux/amd64": bad}}),
        ),
    ]


@pytest.mark.parametrize(("message", "text"), documents())
def test_a_bad_lock_is_refused_with_the_fix(message: str, text: str) -> None:
    with pytest.raises(ProjectError) as caught:
        parse_lock(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("leoflow.lock")
    assert "`leoflow lock --upgrade`" in str(caught.value)


def test_a_lock_that_cannot_be_read_is_the_project_s_problem(tmp_path: Path) -> None:
    (tmp_path / "leoflow.lock").mkdir()
    with pytest.raises(ProjectError, match="cannot be read: Is a directory"):
        read_lock(tmp_path)
