"""compactjson says what the json package says, without the json package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent import compactjson

AGENT_FOLDER = Path(compactjson.__file__).parents[1]
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(documents)
def test_what_is_written_reads_back_the_same(document):
    assert compactjson.loads(compactjson.dumps(document)) == document


@given(documents)
def test_both_directions_agree_with_the_json_package(document):
    assert json.loads(compactjson.dumps(document)) == document
    assert compactjson.loads(json.dumps(document, indent=1)) == document


@given(documents)
def test_output_is_ascii(document):
    assert compactjson.dumps(document).isascii()


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "nul", '"open', "1 2", "{'a': 1}"])
def test_what_is_no_document_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - json.JSONDecodeError or our own
        compactjson.loads(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_without_a_json_form_are_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        compactjson.dumps({"a": value})


def test_other_types_are_refused_by_name():
    with pytest.raises(TypeError, match="'set'"):
        compactjson.dumps([{1}])


def test_the_json_package_is_not_imported():
    program = (
        f"import sys; sys.path.insert(0, {str(AGENT_FOLDER)!r})\n"
        "from leoflow_agent import compactjson\n"
        "compactjson.loads(compactjson.dumps({'a': [1]}))\n"
        "sys.exit('json' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-I", "-S", "-c", program]).returncode == 0
