"""What a registry says about how to log in: the header WWW-Authenticate. Pure.

RFC 9110, section 11.6.1, and https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r'\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


@dataclass(frozen=True)
class Challenge:
    """One way to log in. ``scheme`` is in lower case, and so are the names of parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the registry says the request needs."""
        return tuple(self.parameters.get("scope", "").split())


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read every challenge of every such header; what is malformed is passed over."""
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(header):
        word = _TOKEN.match(header, position)
        if word is None:
            position += 1
            continue
        position = word.end()
        value = _VALUE.match(header, position)
        if value is None:
            found.append((word[0].lower(), {}))
            continue
        position = value.end()
        if found:
            quoted, plain = value.groups()
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            found[-1][1][word[0].lower()] = text
    return [Challenge(scheme, parameters) for scheme, parameters in found]
