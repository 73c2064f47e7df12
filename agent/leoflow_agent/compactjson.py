"""JSON through the C core of the standard library alone: the json package costs 9 ms to import.

Knows nothing of what the documents mean. Works the same on CPython 3.9 to 3.14.
"""

import _json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The scanner asks an object for its rules; a class would cost as much as a module.
_namespace: "Any" = type(sys.implementation)
_rules = _namespace(
    strict=True,
    object_hook=None,
    object_pairs_hook=None,
    parse_float=float,
    parse_int=int,
    parse_constant=float,
)
_scan = _json.make_scanner(_rules)
quote = _json.encode_basestring_ascii


def loads(text: str) -> object:
    """Return the value of the JSON document ``text``; ValueError if it is none."""
    text = text.strip(" \t\r\n")
    try:
        value, end = _scan(text, 0)
    except (StopIteration, SystemError):
        # SystemError: the scanner looks for the json package's own exception and finds no package.
        raise ValueError("not a JSON document: " + repr(text[:80])) from None
    if end != len(text):
        raise ValueError("more than one JSON document: " + repr(text[:80]))
    return value


def dumps(value: object) -> str:
    """Return ``value`` as a JSON document of ASCII characters alone.

    TypeError for a value that JSON has no form for, ValueError for NaN, infinities and
    values that contain themselves.
    """
    encode = _json.make_encoder({}, _refuse, quote, None, ":", ",", False, False, False)
    return "".join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError("a value of type '" + type(value).__name__ + "' is not JSON")
