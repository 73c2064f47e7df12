"""The header WWW-Authenticate is read whatever its order, quotes and commas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.registry.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            ['Bearer realm="https://a.example/token",service="r",scope="repository:a:pull,push"'],
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://a.example/token",
                        "service": "r",
                        "scope": "repository:a:pull,push",
                    },
                )
            ],
        ),
        (['BASIC Realm="a \\"b\\", c"'], [Challenge("basic", {"realm": 'a "b", c'})]),
        (["Basic"], [Challenge("basic", {})]),
        (
            ['Negotiate, Bearer realm = x , service=y,Basic realm="z"'],
            [
                Challenge("negotiate", {}),
                Challenge("bearer", {"realm": "x", "service": "y"}),
                Challenge("basic", {"realm": "z"}),
            ],
        ),
        (
            ["Basic", 'Bearer realm="x"'],
            [Challenge("basic", {}), Challenge("bearer", {"realm": "x"})],
        ),
        ([""], []),
        ([], []),
    ],
)
def test_challenges_are_read(headers: list[str], expected: list[Challenge]) -> None:
    assert parse_challenges(headers) == expected


def test_several_scopes_are_told_apart() -> None:
    challenge = Challenge("bearer", {"scope": "repository:a:pull repository:b:pull"})
    assert challenge.scopes == ("repository:a:pull", "repository:b:pull")


@given(st.text(alphabet='abB=", \\\t/:é', max_size=60))
def test_no_header_is_too_odd(header: str) -> None:
    parse_challenges([header])
