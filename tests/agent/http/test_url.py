"""URLs that are sent, and URLs that are shown."""

from __future__ import annotations

import pytest
from leoflow_agent.http.url import (
    UrlInvalid,
    clean,
    follow,
    is_same_server,
    replace_query,
    shown,
    shown_server,
    with_query,
)


@pytest.mark.parametrize(
    ("url", "sent", "user"),
    [
        ("http://h", "http://h/", None),
        (" HTTP://H:80/a ", "http://h/a", None),
        ("https://h:443/a#f", "https://h/a", None),
        ("https://h:8443/a", "https://h:8443/a", None),
        ("http://me:p%40ss@h/a", "http://h/a", ("me", "p@ss")),
        ("http://me@h/", "http://h/", ("me", "")),
        (
            "http://bücher.example/ä?q=ü&r=%20 x",
            "http://xn--bcher-kva.example/%C3%A4?q=%C3%BC&r=%20%20x",
            None,
        ),
        ("http://[::1]:8080/", "http://[::1]:8080/", None),
        ("http://h?a=1", "http://h/?a=1", None),
    ],
)
def test_how_a_url_is_sent(url: str, sent: str, user: tuple[str, str] | None) -> None:
    assert clean(url) == (sent, user)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/x",
        "ftp://h/",
        "http://",
        "http:///x",
        "http://h:x/",
        "http://[h/",
        "http://h:99999/",
    ],
)
def test_what_cannot_be_asked_for(url: str) -> None:
    with pytest.raises(UrlInvalid):
        clean(url)


@pytest.mark.parametrize(
    ("url", "text", "server"),
    [
        ("https://u:geheim@h:1/a?geheim#geheim", "https://h:1/a", "https://h:1"),
        ("https://u:ge@heim@h/a", "https://h/a", "https://h"),
        ("http://h:geheim/", "a URL that is none", "a URL that is none"),
        ("nope:geheim", "a URL that is none", "a URL that is none"),
        ("http://[geheim", "a URL that is none", "a URL that is none"),
    ],
)
def test_what_is_shown_of_a_url(url: str, text: str, server: str) -> None:
    assert (shown(url), shown_server(url)) == (text, server)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("https://h/a", "https://h/b", True),
        ("http://h/a", "https://h/b", True),
        ("https://h/a", "http://h/b", False),
        ("https://h/a", "https://h:8443/b", False),
        ("http://h:8080/a", "https://h:8080/b", False),
        ("https://h/a", "https://www.h/b", False),
    ],
)
def test_which_urls_are_the_same_server(first: str, second: str, same: bool) -> None:
    assert is_same_server(first, second) is same


@pytest.mark.parametrize(
    ("url", "joined"),
    [
        ("http://h/", "http://h/?a=1+2"),
        ("http://h/?", "http://h/?a=1+2"),
        ("http://h/?b=1", "http://h/?b=1&a=1+2"),
        ("http://h/#f", "http://h/?a=1+2#f"),
    ],
)
def test_a_query_is_added(url: str, joined: str) -> None:
    assert with_query(url, {"a": "1 2"}) == joined
    assert with_query(url, {}) == url


def test_a_parameter_is_replaced() -> None:
    assert replace_query("http://h/?p=1&q=&p=2", "p", "3") == "http://h/?q=&p=3"


def test_a_redirect_drops_a_password() -> None:
    assert follow("http://h/a/b", "//u:p@i/c") == "http://i/c"
