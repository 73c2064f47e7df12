"""What a webhook is sent as, and when it is sent again. Pure.

Headers and signature are those of Standard Webhooks (standardwebhooks.com), for which there are
libraries in all languages.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from leoflow_controlplane.connectionuri import make_uri, read_connection
from leoflow_controlplane.error import Refused, SettingInvalid
from leoflow_controlplane.secretsource import SecretSource
from leoflow_controlplane.store.webhook import Message

SETTING = "LEOFLOW_WEBHOOK_SECRET"
PREFIX = "whsec_"
SECRET_BYTES = (24, 64)

# With twelve attempts the last one is about two and a half hours after the first.
MAX_ATTEMPTS = 12
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 3600.0
GONE = 410


class Target(NamedTuple):
    """Where a message goes. ``place`` is what may be shown of it: a path may be a secret."""

    url: str
    place: str
    authorization: str | None


def read_secret(text: str) -> bytes | None:
    """Read the setting; SettingInvalid does not repeat it. None if nothing is set."""
    if not text.strip():
        return None
    least, most = SECRET_BYTES
    try:
        secret = base64.b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.strip().startswith(PREFIX) or not least <= len(secret) <= most:
        raise SettingInvalid(
            f"{SETTING} is no secret of a webhook. Write {PREFIX} and {least} to {most} bytes in "
            f'base64, such as the output of: echo "{PREFIX}$(head -c 32 /dev/urandom | base64)"'
        )
    return secret


def find_target(message: Message, secrets: SecretSource) -> Target:
    """Say where a message goes; Refused if its connection is not there or is no URL."""
    url = message.url
    if url is None:
        assert message.connection is not None, "the store has one of the two"
        found = secrets.connection(message.connection)
        if found is None:
            why = secrets.why_missing("connection", message.connection)
            raise Refused(f"its connection '{message.connection}' is not there: {why}")
        url = _url_of(found)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("its URL does not begin with http:// or https:// and a host")
    # As with Airflow the host of a connection may be the beginning of a URL, path and all.
    server, slash, beginning = unquote(parts.netloc.rpartition("@")[2]).partition("/")
    path = (slash + beginning).rstrip("/") + parts.path
    login = None
    if parts.username is not None or parts.password is not None:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        login = "Basic " + base64.b64encode(pair.encode()).decode()
    clean = urlunsplit((parts.scheme, server, path or "/", parts.query, ""))
    return Target(clean, f"{parts.scheme}://{server}", login)


def make_headers(
    message: Message, target: Target, now: float, secret: bytes | None
) -> dict[str, str]:
    """Write the headers of an attempt. ``webhook-id`` is the same in all attempts."""
    id, sent_at = make_id(message), str(int(now))
    headers = {
        "content-type": "application/json",
        "user-agent": "leoflow",
        "webhook-id": id,
        "webhook-timestamp": sent_at,
    }
    if target.authorization is not None:
        headers["authorization"] = target.authorization
    if secret is not None:
        signed = f"{id}.{sent_at}.{message.body}".encode()
        digest = hmac.new(secret, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    return headers


def make_id(message: Message) -> str:
    """Name a message. SQLite gives the number of a row that was deleted to another one."""
    text = "\0".join((str(message.id), *message.run, message.body))
    return "msg_" + hashlib.sha256(text.encode()).hexdigest()[:32]


def pause_before_next(attempts: int, asked: float | None, roll: float) -> float | None:
    """Return the seconds until the next attempt after ``attempts``; None: there is none.

    ``asked`` is what the receiver asked for, ``roll`` a number from 0 to 1.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    pause = FIRST_PAUSE_SECONDS * 2.0 ** (attempts - 1) * (0.75 + roll / 2)
    return min(max(pause, asked or 0.0), LONGEST_PAUSE_SECONDS)


def _url_of(connection: str) -> str:
    uri = make_uri(read_connection(connection)) if connection.startswith("{") else connection
    # A host with a protocol of its own, as Airflow writes it: http://https://host.
    inner = uri.partition("://")[2]
    return inner if inner.startswith(("http://", "https://")) else uri
