"""Which commit a project's folder is at, asked of the `git` program.

It never fails a build: where there is no git, no checkout or no answer, there is no source.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from leoflow_builder.bounded_process import run_bounded

GIT_SECONDS = 10.0
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCP_LIKE = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^/:@]{2,}):(?P<path>(?!//).+)")
_SCHEMES = ("https", "http", "ssh", "git")
# A repository's own settings may name programs that git starts when it looks for changes.
_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


@dataclass(frozen=True)
class GitSource:
    """A checkout. ``url`` is the remote's, without credentials; None if there is no remote that
    means anything elsewhere. ``dirty``: something below the folder differs from ``revision``."""

    url: str | None
    revision: str
    dirty: bool


def git_source(folder: Path) -> GitSource | None:
    """Return the source of a folder, or None."""
    revision = _git(folder, "rev-parse", "--verify", "HEAD")
    if revision is None or not _REVISION.fullmatch(revision):
        return None
    # dag.json is written by the build, and is no part of the image.
    changes = _git(folder, "status", "--porcelain", "--", ".", ":(exclude)dag.json")
    remote = _git(folder, "config", "--get", f"remote.{_remote(folder)}.url")
    return GitSource(public_url(remote) if remote else None, revision, changes != "")


def _remote(folder: Path) -> str:
    names = (_git(folder, "remote") or "").split()
    return names[0] if names and "origin" not in names else "origin"


def public_url(remote: str) -> str | None:
    """Return a remote's address as others may see it, or None for one of this machine.

    Passwords, tokens, queries and fragments are left out; of users only "git" stays.
    """
    short = _SCP_LIKE.fullmatch(remote)
    if short and "://" not in remote:
        remote = f"ssh://{short['user'] or 'git'}@{short['host']}/{short['path'].lstrip('/')}"
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _SCHEMES or not host:
        return None
    place = f"[{host}]" if ":" in host else host
    user = "git@" if parts.scheme == "ssh" and parts.username == "git" else ""
    place = user + place + (f":{port}" if port else "")
    return urlunsplit((parts.scheme, place, parts.path, "", ""))


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, stripped; None if it fails, is missing or takes too long."""
    command = ["git", *_OPTIONS, *arguments]
    settings = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    # GIT_DIR and the like, as in a hook, would name another repository than the folder's.
    passed_on = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = run_bounded(command, None, {**passed_on, **settings}, folder, GIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
