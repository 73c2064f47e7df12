"""Why dependencies could not be had, told to people; and reading it out of pip's log.

Pure: it is given the texts. It must not show an address with credentials in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
FailureKind = Literal[
    "network", "sdist_only", "no_version", "conflict", "hash", "unknown_hash", "other"
]


@dataclass(frozen=True)
class ResolveFailure:
    """Why resolving failed. ``requirement`` is the one that was given up, if one was named."""

    kind: FailureKind
    message: str
    requirement: str | None = None


def explain(stderr: str, log: str) -> ResolveFailure:
    """Return what went wrong by what pip said and by its log."""
    if _DISK_FULL in stderr:
        return disk_full()
    found = _UNSATISFIED.search(stderr)
    if found:
        return _explain_missing(found.group(1).strip(), log)
    if _HASHES in stderr:
        return hash_mismatch(said(stderr))
    if _CONFLICT.search(stderr):
        return conflict(said(stderr))
    if _UNREACHABLE.search(log):
        return _unreachable(log)
    return unexplained(said(stderr))


def disk_full() -> ResolveFailure:
    """Return the failure of a disk without space."""
    return ResolveFailure("other", _DISK_FULL_MESSAGE)


def unexplained(text: str) -> ResolveFailure:
    """Return a failure of which nothing is known but what the program said."""
    return ResolveFailure("other", f"the dependencies cannot be resolved:\n{text}")


def conflict(text: str) -> ResolveFailure:
    """Return a contradiction, in the resolver's words."""
    message = "the dependencies contradict each other; loosen one of them. The resolver says:\n"
    return ResolveFailure("conflict", message + text)


def hash_mismatch(text: str) -> ResolveFailure:
    """Return that an index served another file than the locked one, in the installer's words."""
    message = (
        "a wheel is not the one in leoflow.lock. If the index is to be trusted, make the lock "
        f"anew with `leoflow lock --upgrade`. The installer says:\n{text}"
    )
    return ResolveFailure("hash", message)


def other_file(requirement: str) -> ResolveFailure:
    """Return that an index has none of the files that the project's own hashes allow."""
    message = (
        f"the index has no wheel of '{requirement}' for this Python and platform with one of the "
        "hashes that are given for it. Add the wheel's hash, or use the index that it is from"
    )
    return ResolveFailure("unknown_hash", message, requirement)


def unreachable(text: str) -> ResolveFailure:
    """Return that an index did not answer; ``text`` says which and how."""
    message = (
        f"the package index did not answer: {redact(text)[:300]}. Check the network, "
        "the proxy and pip's settings (`pip config list`)"
    )
    return ResolveFailure("network", message)


def source_only(requirement: str, offered: Sequence[str] = ()) -> ResolveFailure:
    """Return that there is no wheel; ``offered`` are other versions that have one."""
    text = f"'{requirement}' is published as source only for this Python and platform"
    if offered:
        others = _quoted(_newest(offered))
        text = f"no wheel of '{requirement}' fits this Python and platform; others are {others}"
    message = (
        f"{text}, and leoflow installs wheels only. Choose a version that has a wheel, or build "
        f"one with `pip wheel '{requirement}'` and point pip's find-links at it"
    )
    return ResolveFailure("sdist_only", message, requirement)


def no_version(requirement: str, offered: Sequence[str] = ()) -> ResolveFailure:
    """Return that nothing satisfies a requirement; ``offered`` are versions that have a wheel."""
    if not offered:
        message = (
            f"no index has '{requirement}'. Check the spelling, and the index in pip's settings"
        )
    else:
        message = (
            f"no version satisfies '{requirement}' on this Python and platform. "
            f"The index offers {_quoted(_newest(offered))}. Choose one of them"
        )
    return ResolveFailure("no_version", message, requirement)


def with_offers(failure: ResolveFailure, offered: Sequence[str]) -> ResolveFailure:
    """Return a missing version with what there is instead."""
    if failure.requirement is None or not offered:
        return failure
    make = source_only if failure.kind == "sdist_only" else no_version
    return make(failure.requirement, offered)


def _explain_missing(requirement: str, log: str) -> ResolveFailure:
    offered = list(dict.fromkeys(_wheels_of(Requirement(requirement).name, log)))
    if _has_source(requirement, log):
        return source_only(requirement, offered)
    if not offered and _UNREACHABLE.search(log):
        return replace(_unreachable(log), requirement=requirement)
    failure = no_version(requirement, offered)
    if _UNREACHABLE.search(log):
        elsewhere = f". It may be in an index that could not be asked: {_unreachable(log).message}"
        return replace(failure, message=failure.message + elsewhere)
    return failure


def _has_source(requirement: str, log: str) -> bool:
    """Tell whether a source archive was passed over that would have satisfied a requirement."""
    wanted = Requirement(requirement)
    pattern = re.escape(wanted.name).replace("\\-", "[-_.]")
    link = (
        rf"No sources permitted for {pattern}: \S*/{pattern}-(\d[^/\s#]*?)\.(?:tar\.\w+|zip|tgz)\b"
    )
    versions = re.findall(link, log, re.IGNORECASE)
    return any(wanted.specifier.contains(one, prereleases=True) for one in _parsed(versions))


def _unreachable(log: str) -> ResolveFailure:
    found = _UNREACHABLE.search(log)
    assert found is not None
    return unreachable(found.group(0))


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


def _quoted(versions: Sequence[str]) -> str:
    return ", ".join(f"'{one}'" for one in versions)


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
