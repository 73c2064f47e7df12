"""docs/kubernetes-options.md: its examples are right, and there is one of every option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from leoflow_agent.podoption import PodOptions
from leoflow_builder.settingsfile import read_settings

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes-options.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_right(example: str) -> None:
    assert [str(problem) for problem in read_settings(example, "leoflow.yaml").problems] == []


def test_there_is_an_example_of_every_option() -> None:
    shown = {name for example in EXAMPLES for name in options_in(example)}
    assert {field.name for field in fields(PodOptions)} - shown == set()


def options_in(example: str) -> Iterator[str]:
    settings: Any = read_settings(example, "leoflow.yaml").settings
    for task in (settings.get("defaults", {}), *settings.get("tasks", {}).values()):
        yield from task.get("kubernetes", {})
