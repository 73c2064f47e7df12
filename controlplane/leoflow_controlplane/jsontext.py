"""JSON as it is written for each report and try: by the library that reads reports, as it takes a
quarter of the time that `json` does for so little.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_json


def encode(value: Any) -> bytes:
    """Write ``value`` without blanks, as UTF-8; TypeError if JSON has no such value.

    What cannot be UTF-8, such as half of a surrogate pair, is spelled in ASCII.
    """
    try:
        return to_json(value)
    except ValueError:
        # It is also what is said of a value that is nested too deeply for the library.
        return json.dumps(value, separators=(",", ":")).encode("ascii")
