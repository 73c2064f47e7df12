"""How an image looks on terminals of other widths."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from leoflow_builder.inspection.difference import compare
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.view import SeenImage, see_image
from leoflow_cli.inspect_report import FILES_SHOWN, show, show_difference
from leoflow_cli.screen import Screen
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1] / "builder" / "inspection"))

from image_sample import BASE, DEPS, Sample, dag_layer, layout_files, make_sample, write_folder


@pytest.fixture(params=[80, 120])
def screen(request: pytest.FixtureRequest) -> Screen:
    """A terminal of 80 or 120 columns."""
    made = Screen()
    made.console = Console(file=io.StringIO(), width=request.param, highlight=False)
    return made


def lines(screen: Screen) -> list[str]:
    file = screen.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


def see(folder: Path, sample: Sample) -> SeenImage:
    source = LayoutFolder(write_folder(layout_files(sample), folder))
    return see_image(source, "team/weather:1", "linux/amd64")


def test_no_line_is_wider_than_the_terminal(tmp_path: Path, screen: Screen) -> None:
    sample = make_sample()
    sample.annotations["org.opencontainers.image.source"] = "https://example.org/" + "a" * 200
    show(see(tmp_path, sample).view, screen)
    shown = lines(screen)
    assert max(map(len, shown)) <= screen.console.width
    assert any("https://example.org/aaa" in line and line.endswith("…") for line in shown)


def test_the_digest_is_shown_whole(tmp_path: Path, screen: Screen) -> None:
    view = see(tmp_path, make_sample()).view
    show(view, screen)
    assert f"  {view.digest}" in lines(screen)


def test_columns_stand_below_each_other(tmp_path: Path, screen: Screen) -> None:
    show(see(tmp_path, make_sample()).view, screen)
    shown = lines(screen)
    start = next(number for number, line in enumerate(shown) if line.startswith("layers"))
    table = shown[start : start + 4]
    places = {line.replace("digest", "sha256:").index("sha256:") for line in table}
    assert len(places) == 1


def test_what_engines_note_is_left_out(tmp_path: Path, screen: Screen) -> None:
    sample = make_sample()
    sample.annotations["io.containerd.image.name"] = "docker.io/team/weather:1"
    show(see(tmp_path, sample).view, screen)
    assert not [line for line in lines(screen) if "containerd" in line]


def test_many_files_are_counted_and_the_largest_shown(tmp_path: Path, screen: Screen) -> None:
    before, after = Sample(), Sample()
    before.add_image(layers=[("base", BASE), ("dag", dag_layer())])
    many = {f"opt/{'long/' * 30}{number:02}.py": b"1" * number for number in range(30)}
    after.add_image(layers=[("base", BASE), ("dag", {**dag_layer(), **many})])
    found = compare(see(tmp_path / "1", before), see(tmp_path / "2", after))
    show_difference(found, screen)
    shown = lines(screen)
    assert max(map(len, shown)) <= screen.console.width
    assert sum(line.endswith(".py") for line in shown) == FILES_SHOWN
    assert any("and 18 smaller ones" in line for line in shown)
    assert any(line.endswith("files: 30 added") for line in shown)


def test_the_same_files_compressed_otherwise_are_told_as_such(
    tmp_path: Path, screen: Screen
) -> None:
    before, after = Sample(), Sample()
    before.add_image(layers=[("deps", DEPS)])
    # The second layer of a sample is compressed, the first is not.
    after.add_image(layers=[("base", BASE), ("deps", DEPS)])
    show_difference(compare(see(tmp_path / "1", before), see(tmp_path / "2", after)), screen)
    assert any(line.endswith("the same, compressed otherwise") for line in lines(screen))
