"""Answers a registry's challenge: a token for each scope, or the password itself.

https://distribution.github.io/distribution/spec/auth/token/ and .../auth/oauth/
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterable

import httpx

from leoflow_builder.registry.challenge import Challenge, parse_challenges
from leoflow_builder.registry.credential import Credential, Find
from leoflow_builder.registry.failure import AccessDenied, PlainHttp, Refused
from leoflow_builder.registry.setting import INSECURE_VARIABLE

Fetch = Callable[[httpx.Request, str], httpx.Response]
Scopes = tuple[str, ...]
_CLIENT = "leoflow"
# The specification's own default for a token that does not say how long it lasts.
_TOKEN_SECONDS = 60.0
# A token is renewed early, so that it does not expire on the way.
_MARGIN = 0.8


def scopes_of(repository: str, *actions: str) -> Scopes:
    """Return the scope of doing something with a repository: "pull", "push"."""
    return (f"repository:{repository}:{','.join(actions)}",)


class Authorisation:
    """The header Authorization for one registry. Thread-safe.

    ``fetch`` sends a request for a token, given what it is for in words.
    """

    def __init__(
        self,
        host: str,
        find: Find,
        insecure: bool,
        fetch: Fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._find = find
        self._insecure = insecure
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._found: dict[str, Credential | None] = {}
        self._headers: dict[Scopes, tuple[str, float]] = {}

    def header(self, scopes: Scopes) -> str | None:
        """Return what to send with a request, or None as long as nothing was asked for."""
        with self._lock:
            known = self._headers.get(scopes)
            if known is not None and self._clock() < known[1]:
                return known[0]
            if self._challenge is None:
                return None
            return self._make(self._challenge, scopes)

    def renew(self, asked: Iterable[str], scopes: Scopes, refused: str | None) -> str | None:
        """Return another header than the refused one, or None if there is no other.

        ``asked`` are the headers WWW-Authenticate of the refusal.
        """
        with self._lock:
            known = self._headers.pop(scopes, None)
            if known is not None and known[0] != refused:
                self._headers[scopes] = known
                return known[0]
            self._challenge = self._choose(parse_challenges(asked))
            made = self._make(self._challenge, scopes)
            return made if made != refused else None

    def tried(self, scopes: Scopes) -> str:
        """Say which credentials were used."""
        credential = self._found.get(_repository(scopes))
        return f"with {credential}" if credential else "without credentials, as none were found"

    def _choose(self, challenges: list[Challenge]) -> Challenge:
        for scheme in ("bearer", "basic"):
            for challenge in challenges:
                usable = scheme == "basic" or "realm" in challenge.parameters
                if challenge.scheme == scheme and usable:
                    return challenge
        offered = ", ".join(f"'{one.scheme}'" for one in challenges) or "nothing"
        raise AccessDenied(
            f"registry '{self._host}' wants a login and offers {offered} for it; leoflow knows "
            "'bearer' and 'basic'. Is this address that of a registry?"
        )

    def _make(self, challenge: Challenge, scopes: Scopes) -> str | None:
        credential = self._credential(_repository(scopes))
        if credential is not None and credential.registry_token:
            return f"Bearer {credential.registry_token}"
        if challenge.scheme == "basic":
            return _basic(credential) if credential and credential.username else None
        token, seconds = self._token(challenge, scopes, credential)
        header = f"Bearer {token}"
        self._headers[scopes] = (header, self._clock() + seconds * _MARGIN)
        return header

    def _credential(self, repository: str) -> Credential | None:
        if repository not in self._found:
            self._found[repository] = self._find(self._host, repository)
        return self._found[repository]

    def _token(
        self, challenge: Challenge, scopes: Scopes, credential: Credential | None
    ) -> tuple[str, float]:
        request = self._token_request(challenge, scopes, credential)
        realm = challenge.parameters["realm"]
        response = self._fetch(request, f"getting a token from '{realm}'")
        if response.status_code in (400, 401, 403):
            raise AccessDenied(
                f"registry '{self._host}' lets nobody in {self.tried(scopes)} "
                f"(HTTP {response.status_code} of '{realm}'). Run `docker login {self._host}`"
            )
        try:
            answer = response.raise_for_status().json()
            token = answer.get("token") or answer["access_token"]
            return str(token), float(answer.get("expires_in") or _TOKEN_SECONDS)
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError, AttributeError):
            raise Refused(
                f"'{realm}', which gives tokens for registry '{self._host}', answered HTTP "
                f"{response.status_code} without a token. Is it well?"
            ) from None

    def _token_request(
        self, challenge: Challenge, scopes: Scopes, credential: Credential | None
    ) -> httpx.Request:
        realm = httpx.URL(challenge.parameters["realm"])
        if realm.scheme != "https" and not self._insecure:
            raise PlainHttp(
                f"registry '{self._host}' wants the login sent to '{realm}', which is not "
                f"encrypted. If that is meant, name '{self._host}' in {INSECURE_VARIABLE}"
            )
        service = challenge.parameters.get("service")
        wanted = list(dict.fromkeys((*scopes, *challenge.scopes)))
        if credential is not None and credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": credential.identity_token,
                "client_id": _CLIENT,
                "scope": " ".join(wanted),
            }
            return httpx.Request("POST", realm, data={**form, "service": service or ""})
        query = [*realm.params.multi_items(), *(("scope", scope) for scope in wanted)]
        if service is not None:
            query.append(("service", service))
        headers = {"Authorization": _basic(credential)} if credential else {}
        return httpx.Request("GET", realm.copy_with(params=query), headers=headers)


def _basic(credential: Credential) -> str:
    pair = f"{credential.username}:{credential.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _repository(scopes: Scopes) -> str:
    # The first scope is of the repository that is worked on, others are of sources for mounts.
    return scopes[0].split(":")[1] if scopes else ""
