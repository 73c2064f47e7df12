"""What a token is, and how it is kept. Pure but for the randomness.

A token is 256 random bits. A slow hash such as bcrypt protects what people make up and others can
guess; of 2^256 equally likely tokens nobody guesses one, however quick the hash. SHA-256 is enough
and costs each request a microsecond.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal, NamedTuple

Role = Literal["admin", "viewer"]

# Scanners of repositories look for such words.
PREFIX = "leoflow_"
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Principal(NamedTuple):
    """Who asks. ``name`` is the token's."""

    token_id: int
    name: str
    role: Role

    def may(self, method: str) -> bool:
        """Say whether requests with ``method`` are allowed: a viewer only reads."""
        return self.role == "admin" or method in READING


def make_token() -> str:
    """Make a token that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Give what is kept of a token, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def read_bearer(header: str) -> str | None:
    """Give the token in a header Authorization, None if there is none."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
