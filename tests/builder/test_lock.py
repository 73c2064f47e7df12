"""leoflow.lock as a value: what it holds, when it does not fit any more, what it refuses."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.lock import (
    Lock,
    LockedPackage,
    dump_lock,
    make_lock,
    parse_lock,
    pinned_requirements,
    read_lock,
    stale_reason,
)
from leoflow_builder.problem import ProjectError
from leoflow_builder.target import Target

TARGET = Target("3.11.2", "2.36", "amd64")
PANDAS = LockedPackage("pandas", "2.2.3", "pandas-2.2.3-cp311-cp311-linux_x86_64.whl", "aa")
SIX = LockedPackage("six", "1.17.0", "six-1.17.0-py2.py3-none-any.whl", "bb")


def lock(*requirements: str) -> Lock:
    return make_lock(requirements, TARGET, "base 1", [SIX, PANDAS])


def test_packages_are_sorted_by_name() -> None:
    assert [one.name for one in lock("pandas").packages] == ["pandas", "six"]


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
PACKAGES = st.builds(LockedPackage, NAMES, st.just("1.0"), NAMES, NAMES)


@given(st.lists(NAMES), st.lists(PACKAGES))
def test_a_lock_survives_writing_and_reading(
    requirements: list[str], packages: list[LockedPackage]
) -> None:
    written = make_lock(requirements, TARGET, "base", packages)
    assert parse_lock(dump_lock(written)) == written


@given(st.permutations(["pandas>=2", "six", "Requests[socks]<3"]))
def test_the_order_of_dependencies_does_not_matter(dependencies: list[str]) -> None:
    known = lock("pandas>=2", "six", "Requests[socks]<3")
    assert stale_reason(known, dependencies, TARGET) is None


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
    assert stale_reason(lock(before), [now], TARGET) is None


def test_a_changed_dependency_is_named() -> None:
    reason = stale_reason(lock("pandas>=2"), ["pandas>=3"], TARGET)
    assert reason == "the dependencies changed: 'pandas>=3' is new, 'pandas>=2' is gone"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target("3.13.5", "2.36", "amd64"), "Python 3.13 on linux/amd64"),
        (Target("3.11.2", "2.36", "arm64"), "Python 3.11 on linux/arm64"),
        (Target("3.11.2", "2.41", "amd64"), "glibc 2.41"),
    ],
)
def test_another_platform_makes_a_lock_stale(target: Target, words: str) -> None:
    reason = stale_reason(lock("pandas"), ["pandas"], target)
    assert reason is not None
    assert words in reason


def test_another_patch_version_of_python_does_not() -> None:
    assert stale_reason(lock("pandas"), ["pandas"], Target("3.11.9", "2.36", "amd64")) is None


def test_the_installer_gets_exact_versions_with_hashes() -> None:
    expected = "pandas==2.2.3 --hash=sha256:aa\nsix==1.17.0 --hash=sha256:bb\n"
    assert pinned_requirements(lock("pandas")) == expected


def test_no_lock_is_none(tmp_path: Path) -> None:
    assert read_lock(tmp_path) is None


def documents() -> dict[str, str]:
    good = json.loads(dump_lock(lock("pandas")))
    return {
        "is not JSON": "{",
        "is not a lock": "[]",
        "it has no 'packages'": json.dumps({k: v for k, v in good.items() if k != "packages"}),
        "has schema_version '2'": json.dumps({**good, "schema_version": 2}),
        "unexpected keyword argument 'index'": json.dumps({**good, "index": "x"}),
        "1 is no text": json.dumps({**good, "glibc": 1}),
    }


@pytest.mark.parametrize(("message", "text"), documents().items())
def test_a_bad_lock_is_refused_with_the_fix(message: str, text: str) -> None:
    with pytest.raises(ProjectError) as caught:
        parse_lock(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("leoflow.lock")
    assert "`leoflow lock --upgrade`" in str(caught.value)
