"""Reads out of pip's log why dependencies could not be had. Pure: it is given the texts.

It must not show an address with credentials in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_UNSATISFIED = re.compile(
    r"ERROR: (?:Could not find a version that satisfies the requirement|"
    r"No matching distribution found for) (\S[^\n(]*)"
)
_UNREACHABLE = re.compile(
    r"Could not fetch URL (\S+): (connection error|There was a problem)[^\n]*"
)
_LINK = re.compile(r"([A-Za-z0-9_.]+)-(\d[^-\s/#]*)-[^/\s#]+\.whl")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_HASHES = "THESE PACKAGES DO NOT MATCH THE HASHES"
_CONFLICT = re.compile(r"ERROR: (?:Cannot install|ResolutionImpossible)")
_DISK_FULL = "[Errno 28]"
_DISK_FULL_MESSAGE = (
    "the disk is full, so the dependencies cannot be unpacked. Free some space, or set "
    "LEOFLOW_HOME to a folder on another disk, and TMPDIR if that is the full one"
)
_SAID_LINES = 12


@dataclass(frozen=True)
class ResolveFailure:
    """Why resolving failed. ``requirement`` is the one that pip gave up on, if it named one."""

    kind: str
    message: str
    requirement: str | None = None


def explain(stderr: str, log: str) -> ResolveFailure:
    """Return what went wrong as one of: network, sdist_only, no_version, conflict, hash, other."""
    if _DISK_FULL in stderr:
        return ResolveFailure("other", _DISK_FULL_MESSAGE)
    found = _UNSATISFIED.search(stderr)
    if found:
        return _explain_missing(found.group(1).strip(), log)
    if _HASHES in stderr:
        return ResolveFailure("hash", _hash_message(stderr))
    if _CONFLICT.search(stderr):
        return ResolveFailure("conflict", _conflict_message(stderr))
    if _UNREACHABLE.search(log):
        return ResolveFailure("network", _network_message(log))
    return ResolveFailure("other", f"the dependencies cannot be resolved:\n{said(stderr)}")


def _explain_missing(requirement: str, log: str) -> ResolveFailure:
    name = Requirement(requirement).name
    if _has_source(requirement, log):
        return ResolveFailure("sdist_only", _sdist_message(requirement, name, log), requirement)
    if not _wheels_of(name, log) and _UNREACHABLE.search(log):
        return ResolveFailure("network", _network_message(log), requirement)
    message = _version_message(requirement, name, log)
    if _UNREACHABLE.search(log):
        message += f". It may be in an index that could not be asked: {_network_message(log)}"
    return ResolveFailure("no_version", message, requirement)


def _has_source(requirement: str, log: str) -> bool:
    """Tell whether a source archive was passed over that would have satisfied a requirement."""
    wanted = Requirement(requirement)
    pattern = re.escape(wanted.name).replace("\\-", "[-_.]")
    link = (
        rf"No sources permitted for {pattern}: \S*/{pattern}-(\d[^/\s#]*?)\.(?:tar\.\w+|zip|tgz)\b"
    )
    versions = re.findall(link, log, re.IGNORECASE)
    return any(wanted.specifier.contains(one, prereleases=True) for one in _parsed(versions))


def _sdist_message(requirement: str, name: str, log: str) -> str:
    offered = _offered(name, log)
    text = f"'{requirement}' is published as source only for this Python and platform"
    if offered:
        text = f"no wheel of '{requirement}' fits this Python and platform; others are {offered}"
    return (
        f"{text}, and leoflow installs wheels only. Choose a version that has a wheel, or build "
        f"one with `pip wheel '{requirement}'` and point pip's find-links at it"
    )


def _version_message(requirement: str, name: str, log: str) -> str:
    offered = _offered(name, log)
    if not offered:
        return f"no index has '{requirement}'. Check the spelling, and the index in pip's settings"
    return (
        f"no version satisfies '{requirement}' on this Python and platform. "
        f"The index offers {offered}. Choose one of them"
    )


def _network_message(log: str) -> str:
    found = _UNREACHABLE.search(log)
    assert found is not None
    return (
        f"the package index did not answer: {redact(found.group(0))[:300]}. Check the network, "
        "the proxy and pip's settings (`pip config list`)"
    )


def _conflict_message(stderr: str) -> str:
    return (
        "the dependencies contradict each other; loosen one of them. The resolver says:\n"
        f"{said(stderr)}"
    )


def _hash_message(stderr: str) -> str:
    return (
        "a wheel is not the one in leoflow.lock. If the index is to be trusted, make the lock "
        f"anew with `leoflow lock --upgrade`. The installer says:\n{said(stderr)}"
    )


def said(stderr: str) -> str:
    """Return what pip said for people, without the command, the warnings and any credentials."""
    lines = [line.removeprefix("pip: ") for line in stderr.splitlines()]
    kept = [line for line in lines if line.strip() and not _is_noise(line)]
    return redact("\n".join(kept[-_SAID_LINES:]))


def _is_noise(line: str) -> bool:
    return line.startswith(("pid ", "WARNING: Url "))


def redact(text: str) -> str:
    """Take user names and passwords out of every address."""
    return _CREDENTIALS.sub("", text)


def _wheels_of(name: str, log: str) -> list[str]:
    wanted = canonicalize_name(name)
    return [v for found, v in _LINK.findall(log) if canonicalize_name(found) == wanted]


def _offered(name: str, log: str) -> str:
    """Name the newest versions of which the log saw a wheel."""
    versions = list(dict.fromkeys(_wheels_of(name, log)))
    return ", ".join(f"'{one}'" for one in _newest(versions))


def _newest(versions: Sequence[str]) -> list[str]:
    return [str(one) for one in sorted(_parsed(versions), reverse=True)[:5]]


def _parsed(versions: Sequence[str]) -> list[Version]:
    parsed = []
    for text in versions:
        try:
            parsed.append(Version(text.replace("%2B", "+")))
        except InvalidVersion:
            continue
    return parsed
