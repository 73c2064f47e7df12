"""Where the next page is."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.exitcode import Verdict
from leoflow_agent.http.page import Pager, next_link

FIRST = "https://api.example.org/rows?limit=3"


def pager(first: str = FIRST, **fields: Any) -> Pager:
    pagination: Any = {
        "next": "url",
        "items": None,
        "path": "next",
        "query": None,
        "first_page": 1,
        "max_pages": 100,
        "allowed_hosts": [],
        **fields,
    }
    return Pager(pagination, first, {})


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("", None),
        ("nonsense", None),
        ('<https://a/?p=2>; rel="next"', "https://a/?p=2"),
        ("<https://a/?p=2>; rel=next", "https://a/?p=2"),
        ('<https://a/?p=2>; title="a, b; c"; REL = "Next"', "https://a/?p=2"),
        ('<https://a/?p=1>; rel="prev", <https://a/?p=3>; rel="next"', "https://a/?p=3"),
        ('<https://a/?p=1,2>; rel="prev next"', "https://a/?p=1,2"),
        ('</?p=9>; rel="last", </?p=1>; rel="first"', None),
        ('<a>; rel="nextish"', None),
        ('<a>; foo; rel="next"', "a"),
    ],
)
def test_the_link_with_rel_next(value: str, target: str | None) -> None:
    assert next_link(value) == target


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("?after=2", "https://api.example.org/rows?after=2"),
        ("/other", "https://api.example.org/other"),
        ("https://api.example.org:443/x", "https://api.example.org/x"),
        ("https://API.example.org/x", "https://api.example.org/x"),
        ("https://me:secret@api.example.org/x#y", "https://api.example.org/x"),
        ("/ä b", "https://api.example.org/%C3%A4%20b"),
        (None, None),
        ("", None),
        (False, None),
    ],
)
def test_a_url_in_the_answer(target: object, url: str | None) -> None:
    assert pager().next_url(FIRST, {"next": target}, [1], None) == url


def test_a_missing_name_is_the_last_page() -> None:
    assert pager().next_url(FIRST, {}, [1], None) is None
    assert pager(path="meta.next").next_url(FIRST, {"meta": None}, [1], None) is None


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example.org/x",
        "http://api.example.org/x",
        "//evil.example.org/x",
        "https://api.example.org:8443/x",
        "https://api.example.org@evil.example.org/",
        "ftp://api.example.org/",
        "https://[x/",
    ],
)
def test_another_server_is_not_followed(target: str) -> None:
    with pytest.raises(Verdict, match="names a next page"):
        pager().next_url(FIRST, {"next": target}, [1], None)


def test_backslashes_lead_to_no_other_server() -> None:
    found = pager().next_url(FIRST, {"next": "https:\\\\evil.example.org"}, [1], None)
    assert str(found).startswith("https://api.example.org/")


@pytest.mark.parametrize(
    ("hosts", "target", "follows"),
    [
        (["b.example.org"], "https://b.example.org/x", True),
        (["B.example.org"], "https://b.example.org/x", True),
        (["b.example.org"], "https://b.example.org:8443/x", False),
        (["b.example.org:8443"], "https://b.example.org:8443/x", True),
        (["b.example.org"], "http://b.example.org/x", False),
        (["example.org"], "https://b.example.org/x", False),
    ],
)
def test_hosts_that_are_allowed(hosts: list[str], target: str, follows: bool) -> None:
    one = pager(allowed_hosts=hosts)
    if follows:
        assert one.next_url(FIRST, {"next": target}, [1], None) == target
    else:
        with pytest.raises(Verdict):
            one.next_url(FIRST, {"next": target}, [1], None)


def test_from_http_to_https_is_no_other_server() -> None:
    target = "https://api.example.org/x"
    found = pager("http://api.example.org/").next_url(FIRST, {"next": target}, [1], None)
    assert found == target


def test_a_cursor_takes_the_place_of_the_one_before() -> None:
    one = pager(FIRST + "&after=0", next="cursor", query="after")
    found = one.next_url(FIRST, {"next": "a&b"}, [1], None)
    assert found == FIRST + "&after=a%26b"
    assert one.next_url(str(found), {"next": 7}, [1], None) == FIRST + "&after=7"


def test_pages_are_counted_until_one_is_empty() -> None:
    one = pager(next="page_number", query="p", first_page=0)
    assert one.first_url() == FIRST + "&p=0"
    assert one.items([1]) == [1]
    assert one.next_url(FIRST, [1], [1], None) == FIRST + "&p=1"
    assert one.items([]) == []
    assert one.next_url(FIRST, [], [], None) is None
