"""The programs that a wheel's entry points ask for, as text: the same whoever unpacked it."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

_GROUPS = ("console_scripts", "gui_scripts")
# "module:attribute.attribute [extras]" (PyPA's specification of entry points).
_REFERENCE = re.compile(r"\s*([\w.]+)\s*:\s*([\w.]+)\s*(?:\[[^\]]*\]\s*)?")
_FILE_NAME = re.compile(r"[\w.+-]+")
_TEXT = """#!{python}
import sys
from {module} import {imported}

if __name__ == "__main__":
    sys.exit({called}())
"""


def entry_scripts(file: Path, python: str) -> dict[str, str]:
    """Return the text of each program by its name; ``python`` is the path of its interpreter.

    Nothing for a file that is missing. An entry that cannot be a program is left out, as pip does.
    """
    if not file.is_file():
        return {}
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError):
        return {}
    entries = [
        pair for group in _GROUPS if parser.has_section(group) for pair in parser.items(group)
    ]
    return {
        name: _text(found.group(1), found.group(2), python)
        for name, reference in entries
        if (found := _REFERENCE.fullmatch(reference)) and _FILE_NAME.fullmatch(name)
    }


def _text(module: str, called: str, python: str) -> str:
    imported = called.partition(".")[0]
    return _TEXT.format(python=python, module=module, imported=imported, called=called)
