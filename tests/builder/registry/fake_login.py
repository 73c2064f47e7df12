"""How the fake registry lets people in: not asking, by password, or by tokens for a password."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

Refusal = tuple[int, Mapping[str, str], bytes]
_UNAUTHORISED = json.dumps(
    {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
).encode()


class Login(Protocol):
    """Answers in the registry's place, or lets a request through with None."""

    def answer(
        self, method: str, path: str, query: Mapping[str, str], request: Any
    ) -> Refusal | None: ...


class NoLogin:
    """Lets everybody in."""

    def answer(
        self, method: str, path: str, query: Mapping[str, str], request: Any
    ) -> Refusal | None:
        return None


class BasicLogin:
    """Wants a user and a password."""

    def __init__(self, username: str = "ada", password: str = "secret-word") -> None:
        self.accepted = _basic(username, password)

    def answer(
        self, method: str, path: str, query: Mapping[str, str], request: Any
    ) -> Refusal | None:
        if path.startswith("/storage/") or request.headers.get("authorization") == self.accepted:
            return None
        return 401, {"WWW-Authenticate": 'Basic realm="fake"'}, _UNAUTHORISED


class TokenLogin:
    """Wants a token, which it gives itself at /token; one for pulling also to nobody."""

    def __init__(self, username: str = "ada", password: str = "secret-word") -> None:
        self.accepted = _basic(username, password)
        self.identity_token = "secret-identity"
        self.asked: list[list[str]] = []
        self.grants: dict[str, list[str]] = {}
        self.denied: set[str] = set()
        self.expires_in = 300
        self._numbers = itertools.count()

    def answer(
        self, method: str, path: str, query: Mapping[str, str], request: Any
    ) -> Refusal | None:
        if path == "/token":
            return self._give(method, request)
        if path.startswith("/storage/"):
            return None
        wanted = _scope(method, path)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.grants and _allows(self.grants[token], wanted):
            return None
        realm = f"http://{request.headers['host']}/token"
        challenge = f'Bearer realm="{realm}",service="fake",scope="{wanted}",error="x, y"'
        return 401, {"WWW-Authenticate": challenge}, _UNAUTHORISED

    def _give(self, method: str, request: Any) -> Refusal:
        given = request.headers.get("authorization")
        if method == "POST":
            form = parse_qs(request.body.decode())
            scopes = form["scope"][0].split()
            knows = form["refresh_token"] == [self.identity_token]
        else:
            scopes = request.query.get("scope", "").split()
            knows = given == self.accepted
        if given is not None and not knows:
            return 401, {}, _UNAUTHORISED
        self.asked.append(scopes)
        name = f"token-{next(self._numbers)}"
        self.grants[name] = [
            scope if knows else f"{scope.rpartition(':')[0]}:pull"
            for scope in scopes
            if scope.split(":")[1] not in self.denied
        ]
        body = {"token": name, "expires_in": self.expires_in}
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _scope(method: str, path: str) -> str:
    repository = re.sub(r"^/v2/|/(blobs|manifests)/.*", "", path)
    actions = "pull" if method in ("GET", "HEAD") else "pull,push"
    return f"repository:{repository}:{actions}"


def _allows(granted: list[str], wanted: str) -> bool:
    _, repository, actions = wanted.split(":")
    has: set[str] = set()
    for scope in granted:
        if scope.split(":")[1] == repository:
            has |= set(scope.split(":")[2].split(","))
    return set(actions.split(",")) <= has


def _basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
