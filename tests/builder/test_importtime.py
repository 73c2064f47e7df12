"""What `-X importtime` writes, read back as a tree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.fakestopwatch import render
from leoflow_builder.importtime import Import, parse_importtime, slowest, walk

GOLDEN = """\
import time: self [us] | cumulative | imported package
import time:       102 |        102 | leoflow
import time:      1444 |       1983 |       _strptime
import time:       150 |        150 |       numpy._core
half a lineimport time:      1737 |       3870 |     numpy
loading pandas ...
import time: nonsense
import time:     20000 |      23870 |   pandas
import time:       130 |      24000 | dag
"""
NAMES = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.]{0,8}\Z")


def make(name: str, self_us: int, children: list[Import]) -> Import:
    return Import(name, self_us, self_us + sum(one.cumulative_us for one in children), (*children,))


IMPORTS = st.recursive(
    st.builds(make, NAMES, st.integers(0, 10**7), st.just([])),
    lambda below: st.builds(make, NAMES, st.integers(0, 10**7), st.lists(below, max_size=4)),
    max_leaves=20,
)


def test_children_stand_before_what_imported_them() -> None:
    first, dag = parse_importtime(GOLDEN)
    assert (first.name, first.cumulative_us, first.children) == ("leoflow", 102, ())
    (pandas,) = dag.children
    (numpy,) = pandas.children
    assert (pandas.name, pandas.self_us, pandas.cumulative_us) == ("pandas", 20000, 23870)
    assert [one.name for one in numpy.children] == ["_strptime", "numpy._core"]


def test_nothing_is_found_in_anything_else() -> None:
    assert parse_importtime("") == ()
    assert parse_importtime("Traceback (most recent call last):\n  | import time\n") == ()


def test_an_import_whose_importer_never_ended_stands_by_itself() -> None:
    text = "import time:  1 |  2 |     deep\nimport time:  1 |  9 | other\n"
    (other,) = parse_importtime(text)
    assert [one.name for one in other.children] == ["deep"]
    (deep,) = parse_importtime(text.splitlines()[0])
    assert deep.name == "deep"


@given(st.lists(IMPORTS, max_size=4))
def test_what_is_written_is_read_back(roots: list[Import]) -> None:
    assert parse_importtime("".join(map(render, roots))) == tuple(roots)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse_importtime(text)


@given(st.lists(IMPORTS, max_size=4), st.integers(0, 12))
def test_the_slowest_are_as_many_as_asked_for_and_none_is_faster_than_one_left_out(
    roots: list[Import], number: int
) -> None:
    every = sorted((node.cumulative_us for node in walk(roots)), reverse=True)
    kept = sorted((node.cumulative_us for node in walk(slowest(roots, number))), reverse=True)
    assert kept == every[:number]


@given(st.lists(IMPORTS, max_size=4))
def test_the_slowest_come_first(roots: list[Import]) -> None:
    for node in [Import("", 0, 0, slowest(roots, 10)), *walk(slowest(roots, 10))]:
        times = [child.cumulative_us for child in node.children]
        assert times == sorted(times, reverse=True)
