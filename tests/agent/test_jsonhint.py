"""Where a value is not JSON, and what to do about it."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid

import pytest
from leoflow_agent.jsonhint import first_not_json


@dataclasses.dataclass
class Row:
    n: int


class Color(enum.Enum):
    RED = "red"


async def work():
    raise AssertionError


async def stream():
    yield 1


class Scalar:
    """What a numpy scalar shows of itself."""

    ndim = 0

    def tolist(self):
        raise AssertionError


Scalar.__module__ = "numpy"


def cycle():
    value = {"rows": []}
    value["rows"].append(value)
    return value


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, None),
        (cycle(), "result is nested without end or too deeply; make it flat"),
        ({"a": [1, 2.5, True, None, "x", {"b": []}]}, None),
        ((1, 2), None),
        ({1: 2, None: 3}, None),
        (object(), "result is of type 'object'; use numbers, strings, lists and dicts"),
        ([1, {2}], "result[1] is of type 'set'; make it a list: sorted(…)"),
        ({"a": {"b": b""}}, "result['a']['b'] is of type 'bytes'; make it text: .decode(), "),
        ([float("inf")], "result[0] is inf, which JSON does not have; write None"),
        ({(1,): 2}, "result has a key of type 'tuple'; make it text"),
        ((n for n in ()), "result is of type 'generator'; a task returns one value: return a list"),
        (stream(), "result is of type 'async_generator'; a task returns one value"),
        (map(str, ()), "result is of type 'map'; make it a list: list(…)"),
        ({}.values(), "result is of type 'dict_values'; make it a list"),
        (datetime.date(2026, 1, 1), "result is of type 'date'; write it as text: .isoformat()"),
        (datetime.timedelta(1), "result is of type 'timedelta'; write it as a number of seconds"),
        (decimal.Decimal("1.1"), "result is of type 'Decimal'; write it as text: str(…)"),
        (uuid.UUID(int=1), "result is of type 'UUID'; write it as text: str(…)"),
        (pathlib.PurePath("a"), "write it as text: str(…)"),
        (Row(1), "result is of type 'Row'; make it a dict: dataclasses.asdict(…)"),
        (Color.RED, "result is of type 'Color'; write its value: .value"),
        (Scalar(), "result is of type 'Scalar'; make it plain Python: .item()"),
    ],
)
def test_the_place_and_the_fix(value, where):
    found = first_not_json(value)
    if where is None:
        assert found is None
    else:
        assert where in found


def test_a_coroutine_that_nobody_awaited_is_called_that():
    left = work()
    try:
        assert first_not_json([left]) == (
            "result[0] is of type 'coroutine'; it was never awaited: await it"
        )
    finally:
        left.close()
