"""``leoflow inspect``: what it prints where, and how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from leoflow_builder.inspection.failure import ImageNotFound
from leoflow_cli.main import cli
from leoflow_cli.outcome import InvalidInput

sys.path.insert(0, str(Path(__file__).parents[1] / "builder" / "inspection"))

from image_sample import (
    BASE,
    DEPS,
    SBOM,
    Sample,
    dag_layer,
    layout_files,
    make_sample,
    write_folder,
)

LAYERS = [("base", BASE), ("deps", DEPS), ("dag", dag_layer())]


@pytest.fixture
def image(tmp_path: Path) -> str:
    """A layout with an image for two platforms."""
    return str(write_folder(layout_files(make_sample()), tmp_path / "image"))


@pytest.fixture
def changed(tmp_path: Path) -> str:
    """A layout with the image for amd64 after a change of code."""
    sample = Sample()
    code = {**dag_layer(), "opt/leoflow/dag/dag.py": b"pass", "opt/leoflow/dag/new.py": b"1"}
    sample.add_image(layers=[*LAYERS[:2], ("dag", code)], Env=["A=2"])
    return str(write_folder(layout_files(sample), tmp_path / "changed"))


def inspect(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["inspect", *arguments, "--platform", "linux/amd64"])


def test_people_read_stderr_and_stdout_stays_empty(image: str) -> None:
    result = inspect(image)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "DAG 'weather', Python 3.11" in result.stderr
    assert "1 Python package, as locked" in result.stderr


def test_json_is_one_object_on_stdout(image: str) -> None:
    document = json.loads(inspect(image, "--json").stdout)
    assert document["dag"]["dag_id"] == "weather"
    assert [layer["name"] for layer in document["layers"]] == ["base", "deps", "dag"]
    assert document["attestations"][0] == "https://cyclonedx.org/bom"


def test_against_another_image_only_the_difference_is_shown(image: str, changed: str) -> None:
    said = inspect(changed, "--against", image).stderr
    lines = [line.split() for line in said.splitlines()]
    assert ["base", "shared"] in [line[:2] for line in lines]
    assert ["+", "1", "B", "opt/leoflow/dag/new.py"] in lines
    assert ["~", "environment", "A", "1", "->", "2"] in lines
    assert "DAG 'weather'" not in said


def test_the_difference_is_part_of_the_json(image: str, changed: str) -> None:
    document = json.loads(inspect(changed, "--against", image, "--json").stdout)
    statuses = {one["name"]: one["status"] for one in document["difference"]["layers"]}
    assert statuses == {"base": "shared", "deps": "shared", "dag": "changed"}
    assert document["difference"]["before"] == image


def test_an_image_against_itself_differs_in_nothing(image: str) -> None:
    assert "nothing differs" in inspect(image, "--against", image).stderr


def test_an_sbom_is_printed_on_stdout(image: str, changed: str) -> None:
    kept = inspect(image, "--sbom")
    assert json.loads(kept.stdout) == SBOM
    made = inspect(changed, "--sbom")
    assert json.loads(made.stdout)["bomFormat"] == "CycloneDX"
    assert "made one of the lock" in made.stderr


def test_an_sbom_of_a_difference_makes_no_sense(image: str) -> None:
    assert isinstance(inspect(image, "--sbom", "--against", image).exception, InvalidInput)


def test_a_missing_image_is_told(tmp_path: Path) -> None:
    assert isinstance(inspect(str(tmp_path / "none")).exception, ImageNotFound)
