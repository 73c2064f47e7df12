"""Tokens of tries: signed, short-lived and good for one try. They are kept nowhere.

Whoever has the key can make and check them, so a token outlives the process that gave it out.
"""

from __future__ import annotations

import binascii
import contextlib
import hmac
import json
import os
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jwt

from leoflow_controlplane.error import Unauthorized
from leoflow_controlplane.jsontext import encode
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.vault import SETTING as SECRET_SETTING
from leoflow_controlplane.vault import read_keys

AUDIENCE = "leoflow-agent"
ALGORITHM = "HS256"
KEY_BYTES = 32
# Tokens that were checked are remembered, so that one that comes again costs a look.
MOST_REMEMBERED = 20_000
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def base64url(data: bytes) -> bytes:
    """Spell bytes as RFC 7515 has them, at once: the library's way goes through four functions."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")


# What jwt.encode() does anew each time: it takes longer than all else that a try's start costs.
_HEADER = base64url(json.dumps({"alg": ALGORITHM, "typ": "JWT"}).encode())


class _Checked(NamedTuple):
    key: TryKey
    expires_at: float


class TryTokens:
    """Gives out tokens that are good for ``lifetime_seconds``, and checks those that come back.

    ``older`` keys sign nothing any more; what they have signed is good until it expires.
    """

    def __init__(self, key: bytes, lifetime_seconds: float, older: Sequence[bytes] = ()) -> None:
        self._keys = (key, *older)
        # A copy of one that has taken in the key costs less than to have it take in the key.
        self._unsigned = hmac.new(key, digestmod="sha256")
        self._lifetime_seconds = lifetime_seconds
        self._checked: OrderedDict[str, _Checked] = OrderedDict()

    def issue(self, key: TryKey, now: float) -> str:
        """Make a token for a try."""
        expires_at = now + self._lifetime_seconds
        # As a plain tuple: the serializer takes four times as long for one that has names.
        subject = encode(tuple(key)).decode()
        claims = {"sub": subject, "aud": AUDIENCE, "exp": int(expires_at)}
        signed = _HEADER + b"." + base64url(encode(claims))
        signature = self._unsigned.copy()
        signature.update(signed)
        token = (signed + b"." + base64url(signature.digest())).decode()
        self._remember(token, _Checked(key, int(expires_at)))
        return token

    def check(self, token: str, now: float) -> TryKey:
        """Name the try that ``token`` belongs to; Unauthorized if it is not ours or has expired."""
        checked = self._checked.get(token) or self._decode(token)
        if checked.expires_at <= now:
            raise Unauthorized("the token has expired")
        return checked.key

    def renew(self, token: str, now: float) -> str | None:
        """Make a new token for one whose time is half over; None while there is no need to."""
        checked = self._checked.get(token) or self._decode(token)
        if checked.expires_at - now > self._lifetime_seconds / 2:
            return None
        return self.issue(checked.key, now)

    def _decode(self, token: str) -> _Checked:
        for key in self._keys:
            with contextlib.suppress(jwt.InvalidTokenError, ValueError, TypeError):
                checked = _read(token, key)
                self._remember(token, checked)
                return checked
        raise Unauthorized("unknown token")

    def _remember(self, token: str, checked: _Checked) -> None:
        self._checked[token] = checked
        if len(self._checked) > MOST_REMEMBERED:
            self._checked.popitem(last=False)


def _read(token: str, key: bytes) -> _Checked:
    # The expiry is checked against the control plane's own clock, which tests can set.
    claims = jwt.decode(
        token,
        key,
        [ALGORITHM],
        audience=AUDIENCE,
        options={"verify_exp": False, "require": ["exp", "sub", "aud"]},
    )
    return _Checked(TryKey(*json.loads(claims["sub"])), float(claims["exp"]))


def derive_keys(environment: Mapping[str, str]) -> list[bytes]:
    """Make keys of those that secrets are encrypted with, if an operator has given any: replicas
    have them in common, and so each takes the tokens that another has signed."""
    text = environment.get(SECRET_SETTING, "").strip()
    keys = read_keys(text, SECRET_SETTING) if text else []
    return [hmac.digest(key, b"leoflow try tokens", "sha256") for key in keys]


def load_key(home: Path) -> bytes:
    """Read the key of a home's tokens; makes it if there is none."""
    path = home / "keys" / "try-tokens"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        # Whoever was first has made the key; the others take it.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_bytes()
