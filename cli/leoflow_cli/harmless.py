"""What of a foreign text may reach a terminal: lines, letters and colours. Pure.

Tasks, registries and files decide what leoflow prints. docs/adr/0032 says why this and no more.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r?\n|\r")
_RESET = "\x1b[0m"
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# ECMA-48, sections 5.3 to 5.6: control sequences, control strings, other escape sequences, and all
# else that a terminal obeys. Tabs stay, and so does the end of a line. In a string is nothing that
# may begin one, so that a text is not looked through once for each beginning without an end.
_CONTROL = re.compile(
    r"""
    (?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)
    | \x1b[ -/]*[0-~]
    | [\x00-\x08\x0b-\x1f\x7f-\x9f]
    """,
    re.VERBOSE,
)


def split_lines(text: str) -> list[str]:
    """Return the lines that people see: a carriage return begins one, as a progress bar does.

    What Python alone takes for the end of a line, such as a form feed or U+2028, is none.
    """
    return _LINE_END.split(text.removesuffix("\n").removesuffix("\r")) if text else []


def harmless(text: str) -> str:
    """Return ``text`` with colours, but without whatever else moves or changes a terminal.

    Sequences go, as they mean nothing in a line of a log; a control character alone is shown as
    "^G", as `cat -v` does, except for a carriage return: see `split_lines`.
    """
    if text.isprintable():
        return text
    shown = _CONTROL.sub(_without_control, text)
    return shown + _RESET if _COLOUR.search(shown) else shown


def _without_control(match: re.Match[str]) -> str:
    found = match[0]
    if _COLOUR.fullmatch(found):
        return found
    if len(found) > 1 or found == "\r":
        return ""
    number = ord(found)
    return f"^{chr(number ^ 0x40)}" if number < 0x80 else f"\\x{number:x}"
