"""What uv says is told in leoflow's own words, with the requirement as it was written."""

from __future__ import annotations

import pytest
from leoflow_builder.uvfailure import explain

HEAD = "error: No solution found when resolving dependencies\n  cause: Because "


@pytest.mark.parametrize(
    ("said", "kind", "requirement"),
    [
        ("psycopg2==2.9 has no usable wheels and you require psycopg2", "sdist_only", "psycopg2>2"),
        (
            "all versions of psycopg2 have no\nusable wheels and you require psycopg2",
            "sdist_only",
            "psycopg2>2",
        ),
        (
            "pandas==2.2.3 has no wheels with a matching platform tag (e.g., `x`)",
            "sdist_only",
            "pandas==2.2.3",
        ),
        ("there is no version of idna==99 and you require idna==99", "no_version", "idna==99"),
        ("nope was not found in the package registry", "no_version", "nope"),
        ("a==1 depends on b<2 and c==1 depends on b>2, your requirements", "conflict", None),
    ],
)
def test_an_unsatisfied_requirement_is_named(said: str, kind: str, requirement: str | None) -> None:
    failure = explain(HEAD + said, ("psycopg2>2", "pandas==2.2.3", "idna==99", "nope"))
    assert (failure.kind, failure.requirement) == (kind, requirement)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("error: failed to write (os error 28)", "other"),
        ("error: Hash mismatch for `idna==3.7`", "hash"),
        ("error: error sending request for url (https://u:secret@index.example/simple)", "network"),
        ("error: something else", "other"),
    ],
)
def test_other_failures_have_their_kind_and_no_credentials(said: str, kind: str) -> None:
    failure = explain(said)
    assert failure.kind == kind
    assert "secret" not in failure.message
