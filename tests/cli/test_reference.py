"""docs/command-line.md says what the commands say."""

from __future__ import annotations

from pathlib import Path

from leoflow_cli.reference import write

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def test_the_page_is_written_out_of_the_commands():
    assert PAGE.read_text() == write(), "write it anew: python -m leoflow_cli.reference"
