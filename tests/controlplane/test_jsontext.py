"""JSON as it is written for each report: it says what `json` would, whatever the value is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from leoflow_controlplane.jsontext import encode

DEEP = json.loads("[" * 300 + "]" * 300)


@pytest.mark.parametrize(
    "value",
    [
        {"rows": 42},
        ("d", -1, None, True),
        [1e16, 5e-324, 10**30],
        "ä\0",
        "\ud800",
        {"": [[]]},
        DEEP,
    ],
    ids=["object", "tuple", "numbers", "text", "half a pair", "empty", "deep"],
)
def test_what_is_written_reads_as_what_json_writes(value: Any) -> None:
    assert json.loads(encode(value)) == json.loads(json.dumps(value))


def test_what_json_has_no_value_for_is_refused() -> None:
    with pytest.raises(TypeError):
        encode({"at": object()})
