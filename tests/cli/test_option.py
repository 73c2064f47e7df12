"""Values that are written as JSON on the command line."""

from __future__ import annotations

import pytest
from leoflow_cli.option import parse_object
from leoflow_cli.outcome import InvalidInput


def test_nothing_given_is_an_empty_object():
    assert parse_object(None, "--conf") == {}


def test_an_object_is_taken_as_it_is():
    assert parse_object('{"a": [1, null]}', "--conf") == {"a": [1, None]}


@pytest.mark.parametrize("text", ["", "{", "a=1", "{'a': 1}"])
def test_what_is_not_json_names_the_option_and_the_value(text):
    with pytest.raises(InvalidInput, match=r"--conf .* is not JSON"):
        parse_object(text, "--conf")


@pytest.mark.parametrize("text", ["1", "[]", "null", '"x"'])
def test_json_that_is_no_object_is_refused(text):
    with pytest.raises(InvalidInput, match="--input has to be a JSON object"):
        parse_object(text, "--input")
