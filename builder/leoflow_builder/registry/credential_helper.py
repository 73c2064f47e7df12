"""Asks a program `docker-credential-NAME` for the credentials of a registry.

What it prints on success is a secret and goes into no error.
https://github.com/docker/docker-credential-helpers
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from leoflow_builder.registry.failure import CredentialError

# Helpers may ask a person to unlock a key ring.
_SECONDS = 120


@dataclass(frozen=True)
class HelperAnswer:
    """What a helper knows; a username of "<token>" says that the secret is an identity token."""

    username: str
    secret: str = field(repr=False)


RunHelper = Callable[[Sequence[str], str], "subprocess.CompletedProcess[str]"]


def run_helper(command: Sequence[str], given: str) -> subprocess.CompletedProcess[str]:
    """Run a helper with a text on its standard input."""
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=_SECONDS)


def ask_helper(name: str, address: str, config: str, run: RunHelper) -> HelperAnswer | None:
    """Return what a helper has for a registry's address, or None if it has nothing."""
    program = f"docker-credential-{name}"
    called = f"the credential helper '{program}', which '{config}' names,"
    try:
        done = run([program, "get"], address)
    except FileNotFoundError:
        raise CredentialError(
            f"{called} is not on PATH. Install it, or take '{name}' out of that file"
        ) from None
    except subprocess.TimeoutExpired:
        raise CredentialError(
            f"{called} gave no answer for '{address}' in {_SECONDS} s. Try `{program} get`"
        ) from None
    except OSError as error:
        raise CredentialError(f"{called} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        if "credentials not found" in said.lower():
            return None
        raise CredentialError(f"{called} failed for '{address}': {said or 'it said nothing'}")
    return _read_answer(done.stdout, called, address)


def _read_answer(printed: str, called: str, address: str) -> HelperAnswer:
    try:
        answer = json.loads(printed)
        return HelperAnswer(str(answer["Username"]), str(answer["Secret"]))
    except (ValueError, KeyError, TypeError):
        raise CredentialError(
            f"{called} answered for '{address}' with something else than JSON with Username and "
            "Secret. Update it"
        ) from None
