"""The first token: given, or made when there is none and left in a file for its owner alone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from leoflow_controlplane.auth.token import hash_token, make_token
from leoflow_controlplane.rest.office import Reader, Writer
from leoflow_controlplane.store.token import has_tokens, keep_token, replace_token

ADMIN_FILE = "admin.token"
ADMIN_NAME = "admin"


async def ensure_admin(
    home: Path, reader: Reader, writer: Writer, now: float, *, anew: bool = False
) -> Path | None:
    """Make a token of an admin if there is no token yet, or ``anew`` in place of the first one.

    Returns the file that it is in, None if nothing was made. The file is there before the token
    counts: a crash in between leaves a file that the next start writes again.
    """
    if not anew and await reader.read(has_tokens):
        return None
    token = make_token()
    path = home / ADMIN_FILE
    _write_secret(path, token + "\n")
    await writer.run(replace_token, ADMIN_NAME, "admin", hash_token(token), now)
    return path


async def keep_admin(writer: Writer, token: str, now: float) -> None:
    """Have the first admin's token be ``token``, which is written into no file."""
    await writer.run(keep_token, ADMIN_NAME, "admin", hash_token(token), now)


def _write_secret(path: Path, text: str) -> None:
    """Write a file that was never readable by anybody else, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
