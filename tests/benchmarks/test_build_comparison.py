"""The pure parts of benchmarks/build: figures, ratios, what changes, who takes part."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from benchmarks.build import contender, figure
from benchmarks.build.cli_start import imports_in
from benchmarks.build.contender import Contender, Place, why_not
from benchmarks.build.packageindex import lay_out
from benchmarks.build.scenario import Deck, change_code, write_project
from benchmarks.build.wheelhouse import Variant, requirements_lock

HELP = "--builder [buildkit|oci] --output PATH --push"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "project", tmp_path / "layout", "host/name:tag", "http://index/simple/")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_p95_is_the_nearest_rank() -> None:
    """Of twenty values it is the nineteenth."""
    assert figure.figures_of(range(1, 21)) == figure.Figures(20, 10.5, 19, 1)


def test_one_value_is_its_own_median_p95_and_minimum() -> None:
    assert figure.figures_of([2.0]) == figure.Figures(1, 2.0, 2.0, 2.0)


def test_who_makes_a_lock_is_compared_with_who_makes_one() -> None:
    """A ratio across that line would compare unlike work."""
    one = figure.Figures(1, 1.0, 1.0, 1.0)
    two = figure.Figures(1, 2.0, 2.0, 2.0)
    names = {"docker-uv": two, "leoflow-oci": one, "docker-uv+lock": one, "leoflow-oci+lock": two}
    assert figure.ratios(names) == {
        "leoflow-oci / docker-uv": {"median": 0.5, "min": 0.5},
        "leoflow-oci+lock / docker-uv+lock": {"median": 2.0, "min": 2.0},
    }


def test_the_table_says_who_did_not_take_part_and_why() -> None:
    trial = figure.Trial("noop", "engine", {"docker-pip": [1.0]}, {"leoflow-oci": "no 'oci'"})
    assert "| noop | engine | leoflow-oci | - | | | | no 'oci' |" in figure.table([trial])


@pytest.mark.parametrize("scenario", ["requests", "pandas"])
def test_a_deck_never_deals_a_variant_twice(scenario: str) -> None:
    deck = Deck(scenario)
    dealt = [deck.deal(number) for number in range(60)]
    assert len(set(dealt)) == 60


def test_what_the_scenario_is_named_after_changes_in_every_round() -> None:
    deck = Deck("pandas")
    first, second = deck.deal(0), deck.deal(1)
    assert first.pandas != second.pandas
    assert first.requests == second.requests


def test_two_scenarios_never_meet_the_same_lock() -> None:
    """They share package caches and layers."""
    dealt = [{Deck(name).deal(0) for _ in range(1)} for name in ("requests", "pandas")]
    assert not dealt[0] & dealt[1]


def test_changed_code_is_new_every_time(tmp_path: Path) -> None:
    write_project(tmp_path / "project", with_dockerfiles=False)
    texts = set()
    for _ in range(3):
        change_code(tmp_path / "project", "salt")
        texts.add((tmp_path / "project" / "dag.py").read_text())
    assert len(texts) == 3


def test_the_project_of_leoflow_holds_no_dockerfile(tmp_path: Path) -> None:
    write_project(tmp_path / "project", with_dockerfiles=False)
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["dag.py"]


@pytest.mark.parametrize(
    ("name", "target", "help_text", "reason"),
    [
        ("leoflow-oci", "engine", HELP, None),
        ("leoflow-oci", "layout", HELP, None),
        ("leoflow-oci", "engine", "--builder [buildkit]", "this leoflow has no 'oci'"),
        ("leoflow-oci", "registry", "oci --output", "this leoflow has no '--push'"),
        ("docker-pip", "registry", "", None),
    ],
)
def test_who_can_take_part(name: str, target: str, help_text: str, reason: str | None) -> None:
    assert why_not(Contender(name, target), help_text) == reason


def test_pushing_is_one_command_or_two(place: Place) -> None:
    assert len(Contender("docker-pip", "registry").commands(place)) == 1
    assert len(Contender("docker-pip+push", "registry").commands(place)) == 2


def test_only_one_way_to_lock_stands_for_the_rivals() -> None:
    entered = contender.field("engine", ("docker-pip", "docker-uv"), ("leoflow-oci",), True)
    assert [one.name for one in entered if one.locks] == ["docker-uv+lock", "leoflow-oci+lock"]


def test_the_lock_of_a_dockerfile_holds_the_chosen_versions_with_their_hashes(
    tmp_path: Path,
) -> None:
    names = ("pandas-2.2.3", "pandas-2.3.3", "numpy-2.0", "pip-26.0", "six-1.17.0", "toml-0.10.2")
    for name in names:
        (tmp_path / f"{name}-py3-none-any.whl").write_bytes(name.encode())
    variant = Variant(pandas="2.3.3", fillers=("six",))
    chosen = {"numpy": "2.0", "pandas": "2.3.3", "six": "1.17.0"}
    lines = [
        f"{name}=={version} --hash=sha256:{_digest(f'{name}-{version}')}"
        for name, version in chosen.items()
    ]
    assert requirements_lock(variant, tmp_path, "salt").splitlines() == ["# salt", *lines]


def test_an_index_links_wheels_with_their_hashes_and_metadata(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel = wheels / "Some_Name-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some_name-1.0.dist-info/METADATA", "Name: some-name\n")
    lay_out(wheels, tmp_path / "index")
    page = (tmp_path / "index" / "simple" / "some-name" / "index.html").read_text()
    assert f"{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}" in page
    metadata = tmp_path / "index" / "files" / f"{wheel.name}.metadata"
    assert metadata.read_text() == "Name: some-name\n"


def test_imports_are_read_with_their_depth() -> None:
    text = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       113 |        113 |   _io\n"
        "import time:       488 |        601 | io\n"
    )
    found = [(one.module, one.cumulative_us, one.depth) for one in imports_in(text)]
    assert found == [("_io", 113, 1), ("io", 601, 0)]
