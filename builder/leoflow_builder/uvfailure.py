"""Reads out of what uv says why dependencies could not be had. Pure: it is given the text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from leoflow_builder.resolvefailure import (
    ResolveFailure,
    conflict,
    disk_full,
    hash_mismatch,
    no_version,
    redact,
    source_only,
    unexplained,
    unreachable,
)

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_SPECIFIER = r"(?:\[[^\]]*\])?[^\s,]*"
_DISK_FULL = "(os error 28)"
_HASHES = "Hash mismatch for `"
_NO_SOLUTION = "No solution found"
_FETCH = re.compile(r"(?:Failed to (?:fetch|download)|error sending request)[^\n]*")
_NETWORK = (
    "error sending request",
    "Failed to fetch",
    "HTTP status",
    "request timed out",
    "operation timed out",
)
_NO_WHEEL = re.compile(
    rf"({_NAME})(?:[=<>!~][^\s]*)? ha(?:s|ve) no (?:usable wheels|wheels with a matching [^(]*?tag)"
)
_NOT_FOUND = re.compile(
    rf"({_NAME}) was not found in the (?:package registry|provided package locations)"
)
_MISSING = (
    re.compile(rf"there (?:is|are) no versions? of ({_NAME}{_SPECIFIER})"),
    re.compile(rf"only ({_NAME})[^\n]*? (?:is|are) available and"),
    re.compile(rf"({_NAME}{_SPECIFIER}) (?:is|was) yanked"),
)
_SAID_LINES = 12


def explain(stderr: str, requirements: Sequence[str] = ()) -> ResolveFailure:
    """Return what went wrong; a package that ``requirements`` name is told as written there."""
    text = _joined(stderr)
    if _DISK_FULL in text:
        return disk_full()
    if _HASHES in text:
        return hash_mismatch(_said(stderr))
    if _NO_SOLUTION in text:
        return _explain_unsatisfied(text, stderr, requirements)
    if any(word in text for word in _NETWORK):
        found = _FETCH.search(stderr)
        return unreachable(found.group(0) if found else _said(stderr))
    return unexplained(_said(stderr))


def _explain_unsatisfied(text: str, stderr: str, requirements: Sequence[str]) -> ResolveFailure:
    no_wheel = _NO_WHEEL.search(text)
    if no_wheel:
        return source_only(_as_written(no_wheel.group(1), requirements))
    not_found = _NOT_FOUND.search(text)
    if not_found:
        return no_version(_as_written(not_found.group(1), requirements))
    missing = next((found for one in _MISSING if (found := one.search(text))), None)
    # Without a contradiction the explanation is one step long.
    if missing and "depends on" not in text:
        return no_version(_as_written(missing.group(1), requirements))
    if missing and _is_yanked(text):
        return no_version(_as_written(missing.group(1), requirements))
    return conflict(_said(stderr))


def _is_yanked(text: str) -> bool:
    return " yanked " in text


def _as_written(found: str, requirements: Sequence[str]) -> str:
    """Return the project's own words for a package that uv named, else uv's."""
    match = re.match(_NAME, found)
    name = canonicalize_name(match.group(0)) if match else found
    for requirement in requirements:
        if canonicalize_name(Requirement(requirement).name) == name:
            return requirement
    try:
        return str(Requirement(found))
    except InvalidRequirement:
        return name


def _said(stderr: str) -> str:
    """Return what uv said for people, without warnings, progress and any credentials."""
    lines = [line.removeprefix("error: ").removeprefix("  cause: ") for line in stderr.splitlines()]
    noise = ("warning:", "Using CPython", "Resolved ", "Prepared ", "No solution found when")
    kept = [line.strip() for line in lines if line.strip() and not line.startswith(noise)]
    return redact("\n".join(kept[:_SAID_LINES]))


def _joined(stderr: str) -> str:
    """Undo uv's line breaks, which come wherever a line is full."""
    return " ".join(stderr.split())
