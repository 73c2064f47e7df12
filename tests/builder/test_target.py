"""The platform of an image in the words of Python's packaging standards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.target import Target, complete_platform
from packaging.tags import parse_tag

BOOKWORM = Target("3.11.2", "2.36", "amd64")


def compatible(target: Target, *wheel_tags: str) -> list[bool]:
    """Tell for each wheel tag whether a wheel with it can be installed on the target."""
    known = set(complete_platform(target)["compatible_tags"])
    return [any(str(one) in known for one in parse_tag(tag)) for tag in wheel_tags]


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_36_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-manylinux1_x86_64",
        "cp38-abi3-manylinux_2_28_x86_64",
        "cp311-cp311-linux_x86_64",
        "py3-none-manylinux_2_5_x86_64",
        "py2.py3-none-any",
    ],
)
def test_a_wheel_for_the_image_is_compatible(tag: str) -> None:
    assert compatible(BOOKWORM, tag) == [True]


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_37_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp311-cp311-macosx_11_0_arm64",
        "cp311-cp311-win_amd64",
    ],
)
def test_a_wheel_for_something_else_is_not_compatible(tag: str) -> None:
    assert compatible(BOOKWORM, tag) == [False]


def test_the_most_specific_tag_comes_first() -> None:
    tags = complete_platform(BOOKWORM)["compatible_tags"]
    assert (tags[0], tags[-1]) == ("cp311-cp311-manylinux_2_36_x86_64", "py30-none-any")


def test_arm_is_called_aarch64_and_has_no_glibc_before_its_time() -> None:
    arm = Target("3.13.5", "2.41", "arm64")
    tags = ["cp313-cp313-manylinux2014_aarch64", "cp313-cp313-manylinux_2_12_aarch64"]
    assert compatible(arm, *tags) == [True, False]
    assert complete_platform(arm)["marker_environment"]["platform_machine"] == "aarch64"


def test_markers_have_the_whole_and_the_minor_version() -> None:
    markers = complete_platform(BOOKWORM)["marker_environment"]
    found = (markers["python_full_version"], markers["python_version"])
    assert found == ("3.11.2", "3.11")


@given(st.integers(17, 60), st.sampled_from(["amd64", "arm64"]))
def test_a_newer_glibc_runs_all_that_an_older_one_runs(glibc: int, architecture: str) -> None:
    older = complete_platform(Target("3.12.1", f"2.{glibc}", architecture))
    newer = complete_platform(Target("3.12.1", f"2.{glibc + 1}", architecture))
    assert set(older["compatible_tags"]) < set(newer["compatible_tags"])
