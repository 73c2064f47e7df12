"""How deep is too deep, counted in lists and mappings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from leoflow_controlplane.jsondepth import DEEPEST, is_too_deep


@pytest.mark.parametrize(("within", "end"), [("[%s]", ""), ("[1, %s]", "2"), ('{"a": %s}', "{}")])
def test_what_is_too_deep_is_told_from_what_is_not(within: str, end: str) -> None:
    def nested(depth: int) -> Any:
        before, after = within.split("%s")
        return json.loads(before * depth + (end or "[]") + after * depth)

    deepest = DEEPEST - (end != "2")
    assert not is_too_deep(nested(deepest))
    assert is_too_deep(nested(deepest + 1))
    assert not is_too_deep("x")
