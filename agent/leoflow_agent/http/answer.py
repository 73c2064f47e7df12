"""What an answer says: its headers, its value, how long to wait. Pure; never shows a body."""

import codecs
import json
import zlib
from email.utils import parsedate_to_datetime

from leoflow_agent import exitcode
from leoflow_agent.exitcode import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow_agent.http.step import Answer

LONGEST_SECONDS = 365 * 86400.0
MOST_DIGITS = 19
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def header(answer: "Answer", name: str) -> "str | None":
    """Return the header ``name`` (lower case), several ones joined as RFC 9110 has it."""
    found = [value for key, value in answer.headers if key.lower() == name]
    return ", ".join(found) if found else None


def is_json(answer: "Answer") -> bool:
    """Tell whether the answer calls its body JSON."""
    kind = (header(answer, "content-type") or "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def read_value(answer: "Answer", place: str, limit_bytes: int) -> "Any":
    """Return the value of a body: None when empty, JSON where it says so, else text."""
    body = _unpacked(answer, place, limit_bytes)
    if not body:
        return None
    if is_json(answer):
        return read_json(answer, place, limit_bytes)
    return body.decode(_charset(answer), "replace")


def read_json(answer: "Answer", place: str, limit_bytes: int) -> "Any":
    """Return the JSON document in a body, whatever it calls itself; Verdict if it is none."""
    text = _unpacked(answer, place, limit_bytes).decode("utf-8-sig", "replace")
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        where = getattr(error, "msg", None) or str(error)
        kind = "calls itself JSON and is not" if is_json(answer) else "is not JSON"
        raise _invalid(f"the answer to {place} {kind}: {where}") from None


def size_of(answer: "Answer") -> "int | None":
    """Return the size of the body that the answer announces."""
    text = header(answer, "content-length") or ""
    return int(text) if _is_number(text) else None


def retry_after(answer: "Answer", now: float) -> "float | None":
    """Return the seconds that the header Retry-After asks for (RFC 9110, 10.2.3), a year at most:
    no clock waits for any number."""
    text = (header(answer, "retry-after") or "").strip()
    if _is_number(text):
        return min(float(text), LONGEST_SECONDS)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
        return min(max(seconds, 0.0), LONGEST_SECONDS)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _is_number(text: str) -> bool:
    """Tell whether a header is a whole number, of no more digits than have a meaning."""
    return text.isascii() and text.isdigit() and len(text) < MOST_DIGITS


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def _charset(answer: "Answer") -> str:
    for part in (header(answer, "content-type") or "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            try:
                return codecs.lookup(value.strip(' "')).name
            except LookupError:
                break
    return "utf-8"


def _unpacked(answer: "Answer", place: str, limit_bytes: int) -> bytes:
    body: bytes = answer.body
    coding = (header(answer, "content-encoding") or "identity").strip().lower()
    if coding == "identity" or not body:
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise _invalid(
            f"the answer to {place} is compressed with '{coding[:40]}', which was not asked for "
            "and leoflow does not read"
        )
    text = b""
    while body:
        reader = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            text += reader.decompress(body, limit_bytes + 1 - len(text))
        except zlib.error:
            raise _invalid(f"the answer to {place} calls itself {coding} and is not") from None
        if len(text) > limit_bytes:
            raise _invalid(f"the answer to {place} unpacks to more than {limit_bytes} bytes")
        if not reader.eof:
            raise _invalid(f"the answer to {place} is cut off: its {coding} has no end")
        # gzip may have several parts, one after another.
        body = reader.unused_data
    return text


def _invalid(reason: str) -> Verdict:
    return Verdict(exitcode.RESULT_INVALID, reason)
