"""Encrypt and decrypt what is secret at rest. Knows no store; keys come from the environment or
one file, and are shown to nobody.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leoflow_controlplane.error import ControlPlaneError, SettingInvalid
from leoflow_controlplane.secretsource import Kind

SETTING = "LEOFLOW_SECRET_KEY"
KEY_BYTES = 32
KEY_FILE = Path("keys") / "secrets.key"

# A sealed value: this byte, which key, the nonce, and what AES-256-GCM gives (NIST SP 800-38D).
_FORM = b"\x01"
_MARK_BYTES, _NONCE_BYTES = 4, 12
_HEAD_BYTES = len(_FORM) + _MARK_BYTES + _NONCE_BYTES


class SecretUnreadable(ControlPlaneError):
    """A value was sealed with a key that is not here, for another name, or was changed since."""


class Vault:
    """Seals values with the first of ``keys`` (32 bytes each), opens those of any.

    A value belongs to its kind and name, in any case: in the place of another it cannot be opened.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_mark(key): AESGCM(key) for key in keys}
        self._first = _mark(keys[0])

    def seal(self, kind: Kind, name: str, text: str) -> bytes:
        """Encrypt a value."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, text.encode(), _owner(kind, name))
        return _FORM + self._first + nonce + sealed

    def open(self, kind: Kind, name: str, sealed: bytes) -> str:
        """Decrypt a value; SecretUnreadable says why that is impossible."""
        cipher = self._ciphers.get(sealed[len(_FORM) : len(_FORM) + _MARK_BYTES])
        if sealed[: len(_FORM)] != _FORM or cipher is None:
            raise SecretUnreadable(
                f"the {kind} '{name}' was encrypted with a key that is not among those of this "
                f"process. Give it the key in {SETTING}, or in the file keys/secrets.key of its "
                "LEOFLOW_HOME: all processes of one database need the same. If the key is lost, "
                f"delete the {kind} and set it again."
            )
        nonce = sealed[_HEAD_BYTES - _NONCE_BYTES : _HEAD_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[_HEAD_BYTES:], _owner(kind, name)).decode()
        except InvalidTag:
            raise SecretUnreadable(
                f"the {kind} '{name}' is not what was encrypted under this name. Somebody changed "
                "the database: delete it and set it again."
            ) from None

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a value is sealed with the first key."""
        return sealed[: len(_FORM) + _MARK_BYTES] == _FORM + self._first


def open_vault(home: Path, environment: Mapping[str, str]) -> Vault:
    """Take the keys of LEOFLOW_SECRET_KEY, else of the file in ``home``, which is made if there is
    none; SettingInvalid if they are no keys or the file is not only its owner's."""
    text = environment.get(SETTING, "").strip()
    if text:
        return Vault(read_keys(text, SETTING))
    path = home / KEY_FILE
    _make_key_file(path)
    if path.stat().st_mode & 0o077:
        raise SettingInvalid(
            f"{path} can be read by others of this machine. Take that away from them: "
            f"chmod 600 {path}"
        )
    return Vault(read_keys(path.read_text(), str(path)))


def make_key() -> str:
    """Make a key as it is written."""
    return urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def read_keys(text: str, where: str) -> list[bytes]:
    """Read keys with commas or line ends between; SettingInvalid names ``where`` and no key."""
    keys = []
    for word in text.replace(",", " ").split():
        try:
            # Both alphabets of base64 (RFC 4648), so that any tool can make a key.
            keys.append(urlsafe_b64decode(word.replace("+", "-").replace("/", "_")))
        except ValueError:
            keys.append(b"")
    wrong = [place for place, key in enumerate(keys, start=1) if len(key) != KEY_BYTES]
    if wrong or not keys:
        which = f"key {wrong[0]} of {len(keys)} is none" if wrong else "there is none"
        raise SettingInvalid(
            f"{where} has to hold keys of {KEY_BYTES} bytes in base64, but {which}. Make one with: "
            "head -c 32 /dev/urandom | base64"
        )
    return keys


def _make_key_file(path: Path) -> None:
    """Make the file in one step, so that of two processes that start at once both use one key."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(make_key() + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()


def _mark(key: bytes) -> bytes:
    """Tell keys apart without telling anything of them."""
    return hashlib.sha256(b"leoflow secret key\0" + key).digest()[:_MARK_BYTES]


def _owner(kind: Kind, name: str) -> bytes:
    return f"{kind}\0{name.upper()}".encode()
