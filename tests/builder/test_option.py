"""The settings of a task and how layers of them merge."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.spec import Quantities, Resources
from leoflow_builder.option import TaskOption
from leoflow_builder.said import SaidTask, merge_options, said_task, to_resources, to_spec_fields
from leoflow_builder.writtenmodel import plain
from pydantic import ValidationError


def option(**fields: Any) -> SaidTask:
    return said_task(plain(TaskOption.model_validate(fields)))


def test_the_later_layer_wins_field_by_field() -> None:
    merged = merge_options(option(retries=1, retry_delay_seconds=5), option(retries=2), option())
    assert to_spec_fields(merged) == {"retries": 2, "retry_delay_seconds": 5}


def test_none_on_purpose_takes_a_setting_back() -> None:
    merged = merge_options(
        option(execution_timeout_seconds=60), option(execution_timeout_seconds=None)
    )
    assert to_spec_fields(merged) == {}


def test_resources_merge_figure_by_figure() -> None:
    merged = merge_options(
        option(resources={"requests": {"cpu": 1, "memory": "1Gi"}}),
        option(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "4Gi"}}),
    )
    assert merged.resources is not None
    assert to_resources(merged.resources) == Resources(
        Quantities(1000, 2 * 2**30), Quantities(None, 4 * 2**30)
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"retries": -1},
        {"retries": 1.5},
        {"retries": True},
        {"retries": "2"},
        {"retry_delay_seconds": -1},
        {"execution_timeout_seconds": 0},
        {"execution_timeout_seconds": float("inf")},
        {"trigger_rule": "all_ok"},
        {"artifacts": "yes"},
        {"resources": {"requests": {"gpu": 1}}},
        {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}},
        {"resources": {"requests": {"memory": 2}, "limits": {"memory": 1}}},
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        option(**fields)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a-b"], "'a-b' becomes the name of an environment variable: write letters, digits and _"),
        ([""], "'' becomes the name"),
        (["é"], "'é' becomes the name"),
        (["Db", "db"], "'Db' and 'db' are the same: keep one of them"),
    ],
)
@pytest.mark.parametrize("kind", ["variables", "connections"])
def test_names_that_no_environment_variable_can_have_are_refused(
    kind: str, names: list[str], text: str
) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as caught:
        option(**{kind: names})
    assert text in str(caught.value)


def test_declared_names_are_replaced_and_not_added_to() -> None:
    merged = merge_options(option(variables=["a", "b"], connections=["c"]), option(variables=["d"]))
    assert to_spec_fields(merged) == {"variables": ("d",), "connections": ("c",)}
