"""Where the next page of an answer is. Pure; trusts no URL that a server gives."""

import re

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict
from leoflow_agent.http.path import PathMissing, find, kind_of
from leoflow_agent.http.url import (
    UrlInvalid,
    follow,
    is_allowed,
    is_same_server,
    lacks_query,
    replace_query,
    shown_server,
    with_query,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from leoflow_agent.wire import HttpPagination

# One link of the header Link (RFC 8288): its target, and its parameters.
_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w!#$&+\-.^`|~*]+(?:\s*=\s*(?:"[^"]*"|[^\s",;]+))?)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))', re.I)


class Pager:
    """Reads pages in their order. ``first`` is the URL of the first one, ready to be sent.

    ``credentials`` are query parameters that no server repeats in the links that it gives.
    """

    def __init__(
        self, pagination: "HttpPagination", first: str, credentials: "Mapping[str, str]"
    ) -> None:
        self.count = 0
        self._pagination = pagination
        self._first = first
        self._credentials = credentials
        self._seen = {first}

    def first_url(self) -> str:
        """Return where the first page is."""
        if self._pagination["next"] == "page_number":
            return self._numbered(self._pagination["first_page"])
        return self._first

    def items(self, document: "Any") -> "list[Any]":
        """Return the items of a page; Verdict if they are not there or are no list."""
        self.count += 1
        path = self._pagination["items"]
        try:
            found = document if path is None else find(document, path)
        except PathMissing as missing:
            raise self._failed(f"has no items at '{path}': {missing}") from None
        if isinstance(found, list):
            return found
        if path is None:
            fix = "is not a list: it is {}. Write with 'items' where in it the list is"
            raise self._failed(fix.format(kind_of(found)))
        raise self._failed(f"has no list at '{path}': it is {kind_of(found)}")

    def next_url(
        self, url: str, document: "Any", items: "list[Any]", link: "str | None"
    ) -> "str | None":
        """Return where the page after the one at ``url`` is, or None after the last one.

        Verdict if it is of another server, was asked for already, or there are too many.
        """
        found = self._find(url, document, items, link)
        if found is None:
            return None
        if self.count >= self._pagination["max_pages"]:
            reason = f"is followed by more, and max_pages is {self._pagination['max_pages']}"
            raise self._failed(f"{reason}: raise it, or ask for fewer items")
        if found in self._seen:
            raise self._failed("names a page as the next one that was asked for already")
        self._seen.add(found)
        return found

    def _find(
        self, url: str, document: "Any", items: "list[Any]", link: "str | None"
    ) -> "str | None":
        way = self._pagination["next"]
        if way == "page_number":
            return self._numbered(self._pagination["first_page"] + self.count) if items else None
        target = next_link(link or "") if way == "link_header" else self._at_path(document)
        if target is None:
            return None
        if way == "cursor":
            assert self._pagination["query"] is not None
            return replace_query(self._first, self._pagination["query"], target)
        return self._followed(url, target)

    def _at_path(self, document: "Any") -> "str | None":
        path = self._pagination["path"]
        assert path is not None
        try:
            found = find(document, path)
        except PathMissing as missing:
            if missing.at_end:
                return None
            raise self._failed(f"does not say where the next one is: {missing}") from None
        if found is None or found is False or found == "":
            return None
        if isinstance(found, bool) or not isinstance(found, (str, int)):
            raise self._failed(f"has {kind_of(found)} at '{path}', where the next one should be")
        return str(found)

    def _followed(self, url: str, target: str) -> str:
        try:
            found = follow(url, target)
        except UrlInvalid as error:
            raise self._failed(f"names a next page that cannot be asked for: {error}") from None
        allowed = self._pagination["allowed_hosts"]
        if not is_same_server(self._first, found) and not is_allowed(found, self._first, allowed):
            raise self._failed(
                f"names a next page on {shown_server(found)}, another server, which would get the "
                "request's credentials. If that is right, write its host under 'allowed_hosts'"
            )
        missing = lacks_query(found, self._credentials)
        return with_query(found, {name: self._credentials[name] for name in missing})

    def _numbered(self, number: int) -> str:
        assert self._pagination["query"] is not None
        return replace_query(self._first, self._pagination["query"], str(number))

    def _failed(self, text: str) -> Verdict:
        return Verdict(exitcode.USER_FAILURE, f"page {self.count} {text}")


def next_link(value: str) -> "str | None":
    """Return the target with rel=next in a header Link, or None."""
    for target, parameters in _LINK.findall(value):
        for quoted, plain in _REL.findall(parameters):
            if "next" in (quoted or plain).lower().split():
                return str(target)
    return None
