"""Names of images are read as Docker reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.registry.failure import BadReference
from leoflow_builder.registry.reference import Reference, parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", Reference("docker.io", "library/python", "latest")),
        ("python:3.11", Reference("docker.io", "library/python", "3.11")),
        ("team/dag", Reference("docker.io", "team/dag", "latest")),
        ("docker.io/python", Reference("docker.io", "library/python", "latest")),
        ("index.docker.io/team/dag:1", Reference("docker.io", "team/dag", "1")),
        ("localhost/dag:1", Reference("localhost", "dag", "1")),
        ("localhost:5000/dag", Reference("localhost:5000", "dag", "latest")),
        ("r.example/a/b/c:v1", Reference("r.example", "a/b/c", "v1")),
        ("Registry/dag:1", Reference("Registry", "dag", "1")),
        ("[::1]:5000/dag:1", Reference("[::1]:5000", "dag", "1")),
        (f"python@{DIGEST}", Reference("docker.io", "library/python", None, DIGEST)),
        (f"r.example:5000/a:1@{DIGEST}", Reference("r.example:5000", "a", "1", DIGEST)),
        ("r.example/a__b-c.d:_x", Reference("r.example", "a__b-c.d", "_x")),
    ],
)
def test_a_name_is_read(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the repository is missing"),
        ("r.example/", "the repository is missing"),
        (":tag", "the repository is missing"),
        ("https://r.example/dag", "leave 'https://' out"),
        ("r.example/Team/Dag", "'Team/Dag' is no repository.*Did you mean 'team/dag'"),
        ("team//dag", "'team//dag' is no repository"),
        ("r.example:port/dag", "'r.example:port' is no host"),
        ("-r.example/dag", "'-r.example' is no host"),
        ("dag:", "'' is no tag"),
        ("dag:-x", "'-x' is no tag"),
        ("dag:" + "x" * 129, "is no tag"),
        ("dag@sha256:12", "'sha256:12' is no digest"),
        (f"dag@{DIGEST.upper()}", "is no digest"),
        ("dag@", "'' is no digest"),
        ("r.example/" + "x" * 256, "at most 255"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(BadReference, match=message):
        parse_reference(text)


_parts = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?", fullmatch=True)


@given(
    host=st.sampled_from(["docker.io", "localhost", "r.example:5000"]),
    parts=st.lists(_parts, min_size=2, max_size=4),
    tag=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    digest=st.none() | st.just(DIGEST),
)
def test_what_is_written_is_read_back(
    host: str, parts: list[str], tag: str | None, digest: str | None
) -> None:
    written = Reference(host, "/".join(parts), tag or (None if digest else "latest"), digest)
    assert parse_reference(str(written)) == written


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except BadReference:
        return
    assert parse_reference(str(reference)) == reference
