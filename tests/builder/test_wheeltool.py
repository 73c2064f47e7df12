"""What uv and pex have to do alike, each on an index of files that the test makes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from leoflow_builder.lock import LockedPackage
from leoflow_builder.pextool import Pex
from leoflow_builder.pipconfig import read_pip_settings, translate
from leoflow_builder.target import Target
from leoflow_builder.uvtool import Uv
from leoflow_builder.wheeltool import Unresolvable, Wanted, WheelTool

if TYPE_CHECKING:
    from wheelindex import WheelIndex

TARGET = Target("3.11.2", "2.36", "amd64")
Make = Callable[[], WheelTool]


def make_uv(root: Path) -> WheelTool:
    return Uv(root, translate(read_pip_settings(os.environ), os.environ))


# pex is the fallback, and takes seconds where uv takes a tenth of one.
@pytest.fixture(params=["uv", pytest.param("pex", marks=pytest.mark.long)])
def make(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Make:
    if request.param == "uv":
        return lambda: make_uv(tmp_path / "cache")
    # Setting up its cache takes pex ten seconds, and each test has an index of its own.
    return lambda: Pex(tmp_path_factory.getbasetemp() / "pex")


def versions(packages: list[LockedPackage]) -> dict[str, str]:
    return {one.name: one.version for one in packages}


def failure_of(make: Make, wanted: Wanted) -> tuple[str, str, str | None]:
    with pytest.raises(Unresolvable) as caught:
        make().resolve(wanted, TARGET)
    failure = caught.value.failure
    return failure.kind, failure.message, failure.requirement


def test_the_newest_that_fit_together_are_found_with_their_hashes(
    make: Make, wheel_index: WheelIndex
) -> None:
    wheel_index.wheel("alpha", "1.0")
    alpha = wheel_index.wheel("alpha", "2.0", ["beta<2"])
    beta = wheel_index.wheel("beta", "1.0")
    wheel_index.wheel("beta", "2.0")
    assert sorted(make().resolve(Wanted(("alpha",)), TARGET)) == [alpha, beta]


def test_the_wheel_that_fits_the_target_best_is_taken(make: Make, wheel_index: WheelIndex) -> None:
    wheel_index.wheel("alpha", "1.0")
    wheel_index.wheel("alpha", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    best = wheel_index.wheel("alpha", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    wheel_index.wheel("alpha", "1.0", tag="cp311-cp311-manylinux_2_17_aarch64")
    wheel_index.wheel("alpha", "1.0", tag="cp312-cp312-manylinux_2_28_x86_64")
    assert make().resolve(Wanted(("alpha",)), TARGET) == [best]


def test_markers_are_the_target_s(make: Make, wheel_index: WheelIndex) -> None:
    wheel_index.wheel("beta", "1.0")
    wheel_index.wheel("gamma", "1.0")
    wheel_index.wheel("alpha", "1.0", [
        'beta; platform_machine == "aarch64"', 'gamma; python_full_version == "3.11.2"',
    ])  # fmt: skip
    arm = Target("3.11.9", "2.36", "arm64")
    assert versions(make().resolve(Wanted(("alpha",)), TARGET)) == {"alpha": "1.0", "gamma": "1.0"}
    assert versions(make().resolve(Wanted(("alpha",)), arm)) == {"alpha": "1.0", "beta": "1.0"}


def test_a_preferred_version_stays_as_long_as_it_satisfies(
    make: Make, wheel_index: WheelIndex
) -> None:
    for version in ("1.0", "2.0", "3.0"):
        wheel_index.wheel("alpha", version)
        wheel_index.wheel("beta", version)
    preferred = {"alpha": "1.0", "beta": "2.0"}
    kept = make().resolve(Wanted(("alpha", "beta"), preferred=preferred), TARGET)
    assert versions(kept) == preferred
    moved = make().resolve(Wanted(("alpha>=2", "beta"), preferred=preferred), TARGET)
    assert versions(moved) == {"alpha": "3.0", "beta": "2.0"}


def test_a_preferred_version_may_be_in_another_index_for_the_target(
    make: Make, wheel_index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting = wheel_index.wheel("alpha", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    extra = type(wheel_index)(tmp_path / "extra")
    extra.wheel("alpha", "1.0", tag="cp311-cp311-manylinux_2_17_aarch64")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", extra.url)
    wanted = Wanted(("alpha",), preferred={"alpha": "1.0"})
    assert make().resolve(wanted, TARGET) == [fitting]


def test_a_preferred_version_that_vanished_is_no_obstacle(
    make: Make, wheel_index: WheelIndex
) -> None:
    wheel_index.wheel("alpha", "2.0")
    found = make().resolve(Wanted(("alpha",), preferred={"alpha": "1.0"}), TARGET)
    assert versions(found) == {"alpha": "2.0"}


def test_constraints_hold(make: Make, wheel_index: WheelIndex) -> None:
    wheel_index.wheel("alpha", "1.0", ["beta"])
    for version in ("1.0", "2.0"):
        wheel_index.wheel("beta", version)
    found = make().resolve(Wanted(("alpha",), constraints=("beta<2",)), TARGET)
    assert versions(found) == {"alpha": "1.0", "beta": "1.0"}


def test_only_files_with_a_given_hash_may_be_taken(make: Make, wheel_index: WheelIndex) -> None:
    good = wheel_index.wheel("alpha", "1.0")
    allowed = Wanted(("alpha",), hashes={"alpha": frozenset({good.sha256})})
    assert make().resolve(allowed, TARGET) == [good]
    kind, message, _ = failure_of(make, Wanted(("alpha",), hashes={"alpha": frozenset({"00"})}))
    assert kind == "unknown_hash"
    assert "'alpha==1.0'" in message


def test_a_version_that_nobody_has_is_named_with_what_there_is(
    make: Make, wheel_index: WheelIndex
) -> None:
    for version in ("1.0", "2.0"):
        wheel_index.wheel("alpha", version)
    kind, message, requirement = failure_of(make, Wanted(("alpha==9",)))
    assert (kind, requirement) == ("no_version", "alpha==9")
    assert message == (
        "no version satisfies 'alpha==9' on this Python and platform. "
        "The index offers '2.0', '1.0'. Choose one of them"
    )


def test_a_name_that_nobody_has_may_be_misspelt(make: Make, wheel_index: WheelIndex) -> None:
    wheel_index.wheel("alpha", "1.0")
    kind, message, requirement = failure_of(make, Wanted(("alhpa",)))
    assert (kind, requirement) == ("no_version", "alhpa")
    assert message.startswith("no index has 'alhpa'. Check the spelling")


def test_a_dependency_of_a_dependency_that_nobody_has_is_named(
    make: Make, wheel_index: WheelIndex
) -> None:
    wheel_index.wheel("alpha", "1.0", ["beta>=7"])
    wheel_index.wheel("beta", "1.0")
    kind, message, _ = failure_of(make, Wanted(("alpha",)))
    assert kind in ("no_version", "conflict")
    assert "beta" in message


@pytest.mark.parametrize("source", [True, False])
def test_what_has_no_wheel_for_the_target_is_told(
    make: Make, wheel_index: WheelIndex, source: bool
) -> None:
    if source:
        wheel_index.source("alpha", "1.0")
    else:
        wheel_index.wheel("alpha", "1.0", tag="cp311-cp311-win_amd64")
    kind, message, requirement = failure_of(make, Wanted(("alpha",)))
    assert requirement == "alpha"
    if source:
        assert kind == "sdist_only"
        assert "leoflow installs wheels only" in message
    else:
        assert kind in ("sdist_only", "no_version")


def test_a_contradiction_is_told_in_the_resolver_s_words(
    make: Make, wheel_index: WheelIndex
) -> None:
    wheel_index.wheel("alpha", "1.0", ["gamma<2"])
    wheel_index.wheel("beta", "1.0", ["gamma>=2"])
    wheel_index.wheel("gamma", "1.0")
    wheel_index.wheel("gamma", "2.0")
    kind, message, _ = failure_of(make, Wanted(("alpha", "beta")))
    assert kind == "conflict"
    assert message.startswith("the dependencies contradict each other; loosen one of them.")
    assert "alpha" in message
    assert "gamma" in message


def test_two_demands_for_one_package_contradict(make: Make, wheel_index: WheelIndex) -> None:
    for version in ("1.15.0", "1.16.0"):
        wheel_index.wheel("six", version)
    kind, message, _ = failure_of(make, Wanted(("six==1.15.0", "six==1.16.0")))
    assert kind == "conflict"
    assert "six" in message


@pytest.mark.long
def test_an_index_that_does_not_answer_is_the_network_s_matter(
    make: Make, wheel_index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:9/other")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    kind, message, _ = failure_of(make, Wanted(("alpha",)))
    assert kind == "network"
    assert "127.0.0.1" in message
    assert "secret" not in message


def test_a_yanked_version_is_taken_only_if_it_is_named(make: Make, wheel_index: WheelIndex) -> None:
    wheel_index.wheel("alpha", "1.0")
    wheel_index.wheel("alpha", "2.0", yanked=True)
    assert versions(make().resolve(Wanted(("alpha",)), TARGET)) == {"alpha": "1.0"}
    assert versions(make().resolve(Wanted(("alpha==2.0",)), TARGET)) == {"alpha": "2.0"}


UNUSUAL = {
    "alpha/__init__.py": "x = 1\n",
    "alpha-1.0.data/scripts/raw": "#!python\nprint(1)\n",
    "alpha-1.0.data/scripts/shell": "#!/bin/sh\necho\n",
    "alpha-1.0.data/data/share/alpha/notes.txt": "notes",
    "alpha-1.0.data/platlib/pure.py": "a = 1\n",
    "{info}/entry_points.txt": "[console_scripts]\nalpha = alpha:main\n",
}


def test_wheels_are_unpacked_flat_with_what_belongs_to_the_prefix(
    make: Make, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    package = wheel_index.wheel("alpha", "1.0", files=UNUSUAL)
    make().unpack([package], TARGET, tmp_path / "to")
    for name in ("alpha/__init__.py", "pure.py", "bin/raw", "bin/shell", "bin/alpha"):
        assert (tmp_path / "to" / name).is_file(), name
    assert (tmp_path / "to/share/alpha/notes.txt").read_text() == "notes"
    assert (tmp_path / "to/alpha-1.0.dist-info/RECORD").is_file()


def test_what_is_unpacked_may_be_changed(
    make: Make, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    package = wheel_index.wheel("alpha", "1.0")
    make().unpack([package], TARGET, tmp_path / "1")
    (tmp_path / "1/alpha/__init__.py").write_text("changed")
    make().unpack([package], TARGET, tmp_path / "2")
    assert (tmp_path / "2/alpha/__init__.py").read_text() == "version = '1.0'\n"


def test_another_file_under_the_same_name_is_refused(
    make: Make, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    package = wheel_index.wheel("alpha", "1.0")
    wheel_index.wheel("alpha", "1.0", files={"alpha/__init__.py": "evil\n"})
    with pytest.raises(Unresolvable) as caught:
        make().unpack([package], TARGET, tmp_path / "to")
    assert caught.value.failure.kind == "hash"
    assert "a wheel is not the one in leoflow.lock" in caught.value.failure.message


def test_a_wheel_that_is_gone_is_named(make: Make, wheel_index: WheelIndex, tmp_path: Path) -> None:
    package = wheel_index.wheel("alpha", "1.0")
    wheel_index.withdraw(package)
    with pytest.raises(Unresolvable) as caught:
        make().unpack([package], TARGET, tmp_path / "to")
    failure = caught.value.failure
    assert (failure.kind, failure.requirement) == ("no_version", "alpha==1.0")


def test_a_locked_wheel_that_was_yanked_since_is_still_had(
    make: Make, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    package = wheel_index.wheel("alpha", "1.0", yanked=True)
    make().unpack([package], TARGET, tmp_path / "to")
    assert (tmp_path / "to/alpha/__init__.py").is_file()
