"""Which control plane is asked, and with which token. Reads settings and files, opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from leoflow_cli.outcome import InvalidInput

DEFAULT_SERVER = "http://127.0.0.1:8080"
ADMIN_TOKEN_FILE = "admin.token"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Address:
    """A control plane. ``url`` has no slash at its end; the sources are for people."""

    url: str
    url_source: str
    token: str | None
    token_source: str
    ca: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        host = urlsplit(self.url).hostname or ""
        return host in _LOOPBACK or host.startswith("127.")


def find_address(
    server: str | None, token_file: Path | None, environment: Mapping[str, str], home: Path
) -> Address:
    """Return where to ask: what was typed wins over the environment, that over what is usual.

    The token that a server leaves in its LEOFLOW_HOME is sent to this machine only. Raises
    InvalidInput for a URL or a token that cannot be one.
    """
    url, source = _find_url(server, environment)
    found = Address(url, source, None, "", environment.get("LEOFLOW_CA") or None)
    token, token_source = _find_token(token_file, environment, home, found.is_loopback)
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise InvalidInput(f"the token from {token_source} has characters that no token has")
    return Address(found.url, found.url_source, token, token_source, found.ca)


def _find_url(server: str | None, environment: Mapping[str, str]) -> tuple[str, str]:
    if server:
        url, source = server, "--server"
    elif environment.get("LEOFLOW_SERVER"):
        url, source = environment["LEOFLOW_SERVER"], "LEOFLOW_SERVER"
    else:
        return DEFAULT_SERVER, "the default"
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or parts.query or parts.fragment:
        raise InvalidInput(
            f"{source} '{url}' is no URL of a control plane: write it as '{DEFAULT_SERVER}'"
        )
    if parts.username is not None:
        raise InvalidInput(f"{source} has a user in it: give a token in LEOFLOW_TOKEN instead")
    return url.rstrip("/"), source


def _find_token(
    token_file: Path | None, environment: Mapping[str, str], home: Path, is_loopback: bool
) -> tuple[str | None, str]:
    if token_file is not None:
        return _read(token_file), f"--token-file '{token_file}'"
    if environment.get("LEOFLOW_TOKEN"):
        return environment["LEOFLOW_TOKEN"].strip(), "LEOFLOW_TOKEN"
    own = home / ADMIN_TOKEN_FILE
    if is_loopback and own.exists():
        return _read(own), f"'{own}'"
    return None, f"LEOFLOW_TOKEN is not set{_hint(own) if is_loopback else ''}"


def _hint(own: Path) -> str:
    return f" and there is no '{own}'"


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        raise InvalidInput(f"'{path}' holds no token: it is no ASCII text") from None
    if not text:
        raise InvalidInput(f"'{path}' holds no token: it is empty")
    return text
