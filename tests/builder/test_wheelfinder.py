"""Which program is chosen to find wheels, and that what it keeps is not pruned under it."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.cachehold import claimed
from leoflow_builder.wheelfinder import find_tool


@pytest.mark.parametrize("kept", ["uv", "pex"])
def test_what_a_program_keeps_is_not_pruned_while_it_may_run(tmp_path: Path, kept: str) -> None:
    (tmp_path / "cache" / kept).mkdir(parents=True)
    find_tool(tmp_path, print, {})
    with claimed(tmp_path / "cache" / kept) as free:
        assert not free
