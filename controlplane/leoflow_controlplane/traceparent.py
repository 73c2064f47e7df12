"""The trace that a run belongs to, handed on to its tries as W3C Trace Context has it. Pure."""

from __future__ import annotations

import hashlib
import re

from leoflow_controlplane.model import RunKey, TryKey

VARIABLE = "TRACEPARENT"
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def read_traceparent(text: str | None) -> str | None:
    """Return ``text`` if it names a trace, else None: what is invalid is to be ignored."""
    match = _FORM.fullmatch((text or "").strip())
    if match is None:
        return None
    version, trace_id, span_id, _, more = match.groups()
    # Version ff is forbidden, and only later versions than 00 may have more fields.
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) * int(span_id, 16):
        return None
    return match[0]


def continue_trace(parent: str, key: TryKey) -> str:
    """Return the traceparent of a try: the same trace, and a span of its own for each try."""
    match = _FORM.fullmatch(parent)
    assert match is not None
    digest = hashlib.sha256("\0".join((parent, *map(str, key))).encode()).hexdigest()
    # An id of zeros alone is invalid; that a digest begins so is not to be expected.
    return f"00-{match[2]}-{digest[:16]}-{match[4]}"


def own_trace(key: RunKey) -> str:
    """Return the traceparent of a run that nobody gave one: a trace of its own, sampled."""
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"
