"""What an answer says of itself."""

from __future__ import annotations

import gzip
import zlib

import pytest
from leoflow_agent.exitcode import Verdict
from leoflow_agent.http.answer import header, read_json, read_value, retry_after, size_of
from leoflow_agent.http.step import Answer

NOW = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT


def answer(body: bytes = b"", **headers: str) -> Answer:
    named = [(name.replace("_", "-"), text) for name, text in headers.items()]
    return Answer(200, named, body, 0.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sun, 09 Sep 2001 01:47:40 GMT", 60.0),
        ("Sun, 09 Sep 2001 01:45:40 GMT", 0.0),
        ("9" * 15, 365 * 86400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 365 * 86400.0),
        ("9" * 400, None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
    ],
)
def test_how_long_a_server_asks_to_wait(text: str, seconds: float | None) -> None:
    assert retry_after(answer(Retry_After=text), NOW) == seconds


def test_without_the_header_it_does_not_ask() -> None:
    assert retry_after(answer(), NOW) is None


def test_headers_of_one_name_are_joined() -> None:
    both = Answer(200, [("Link", "<a>"), ("link", "<b>")], b"", 0.0)
    assert header(both, "link") == "<a>, <b>"


@pytest.mark.parametrize(
    ("text", "size"), [("12", 12), ("", None), ("x", None), ("1, 1", None), ("9" * 5000, None)]
)
def test_the_announced_size(text: str, size: int | None) -> None:
    assert size_of(answer(Content_Length=text)) == size


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("application/json", {"a": 1}),
        ("Application/JSON; charset=utf-8", {"a": 1}),
        ("application/vnd.api+json", {"a": 1}),
        ("text/json", '{"a":1}'),
        ("text/plain; charset=unknown", '{"a":1}'),
        ('text/plain; charset="iso-8859-1"', '{"a":1}'),
    ],
)
def test_the_content_type_decides(kind: str, value: object) -> None:
    assert read_value(answer(b'{"a":1}', Content_Type=kind), "GET x", 100) == value


@pytest.mark.parametrize("constant", [b"NaN", b"[Infinity]", b"-Infinity"])
def test_what_json_does_not_have_is_refused(constant: bytes) -> None:
    with pytest.raises(Verdict, match="is not a number in JSON"):
        read_json(answer(constant), "GET x", 100)


def test_a_deep_document_is_refused() -> None:
    with pytest.raises(Verdict):
        read_json(answer(b"[" * 200_000), "GET x", 10**6)


def test_a_bom_is_no_part_of_the_document() -> None:
    assert read_json(answer(b"\xef\xbb\xbf1"), "GET x", 100) == 1


def test_gzip_in_several_parts_is_unpacked_whole() -> None:
    packed = answer(gzip.compress(b"[1,") + gzip.compress(b"2]"), Content_Encoding="gzip")
    assert read_json(packed, "GET x", 5) == [1, 2]
    with pytest.raises(Verdict, match="unpacks to more than 4 bytes"):
        read_json(packed, "GET x", 4)


def test_deflate_is_unpacked() -> None:
    packed = answer(zlib.compress(b"[1]"), Content_Encoding="deflate")
    assert read_json(packed, "GET x", 100) == [1]
