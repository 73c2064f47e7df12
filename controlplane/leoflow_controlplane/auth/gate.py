"""The gate before the REST API: no request without a token gets past it, and no viewer changes
anything. It is before the routes, so that a route which is added later is behind it as well.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from leoflow_controlplane.auth.attempt import Attempts
from leoflow_controlplane.auth.keyring import Keyring
from leoflow_controlplane.auth.token import Principal, read_bearer
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.rest.answer import refusal

API_PREFIX = "/api/"
# As with Airflow: what tells whether a server is there at all.
OPEN = frozenset({"/api/v2/version", "/api/v2/monitor/health"})
# Who has which token is nothing that viewers need to know.
ADMINS_ONLY = "/api/v2/tokens"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="leoflow"'}


class Gate:
    """Lets those through whose token is known, and tells ``app`` who they are. ``guarded`` is what
    the paths begin with that need a token."""

    def __init__(
        self, app: ASGIApp, keyring: Keyring, attempts: Attempts, guarded: str = API_PREFIX
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._attempts = attempts
        self._guarded = guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not scope["path"].startswith(self._guarded) or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._check(scope)
        except DatabaseUnusable as error:
            answer = refusal(503, str(error), {"Retry-After": "1"})
        await (answer or self._app)(scope, receive, send)
        if answer is None:
            await self._keyring.write_uses()

    async def _check(self, scope: Scope) -> ASGIApp | None:
        token = read_bearer(Headers(scope=scope).get("authorization", ""))
        if token is None:
            text = (
                "a token is missing: send the header 'Authorization: Bearer TOKEN'. The first one "
                "is in the file admin.token in the server's LEOFLOW_HOME."
            )
            return refusal(401, text, _CHALLENGE)
        found = self._keyring.remembered(token)
        if found is None:
            address = (scope.get("client") or ("?",))[0]
            pause = self._attempts.seconds_to_wait(address)
            if pause:
                text = f"too many tokens from {address} were refused. Try again in a minute."
                return refusal(429, text, {"Retry-After": str(int(pause) + 1)})
            found = await self._keyring.find(token)
            if found is None:
                self._attempts.failed(address)
                return refusal(401, "the token is unknown, or it has expired.", _CHALLENGE)
        return self._check_role(scope, found)

    def _check_role(self, scope: Scope, principal: Principal) -> ASGIApp | None:
        method, path = scope["method"], scope["path"]
        if not principal.may(method):
            text = f"the token '{principal.name}' is a viewer's: it may read, but not {method}."
            return refusal(403, text)
        if principal.role != "admin" and (path + "/").startswith(ADMINS_ONLY + "/"):
            return refusal(403, f"the token '{principal.name}' is a viewer's: tokens are admins'.")
        scope.setdefault("state", {})["principal"] = principal
        return None
