"""What apt's failures mean, and what to do about them. Pure: reads what apt has written.

The patterns are apt's words in LC_ALL=C.UTF-8, of apt 2.6 to 3.0.
"""

from __future__ import annotations

import re

MIRROR_VARIABLE = "LEOFLOW_DEBIAN_MIRROR"
_LINES_SHOWN = 12
# Said of every failed update, after what failed.
_NOISE = ("E: Some index files failed to download",)
_ANOTHER = f"set {MIRROR_VARIABLE} to the address of another mirror"
_ADVICE = (
    ("No space left", "Free some space, or set LEOFLOW_HOME to another disk"),
    (
        "NO_PUBKEY|is not signed|EXPKEYSIG|signatures? (?:could|were|was)",
        "Bring the keyring up to date (apt-get install debian-archive-keyring), or "
        f"{_ANOTHER} if this is none of Debian's",
    ),
    ("not valid yet", "Set the clock of this machine right"),
    (
        "is expired|has expired",
        f"Set the clock of this machine right, or {_ANOTHER}: this one is not kept up to date",
    ),
    (
        "Hash Sum mismatch|unexpected size|Mirror sync",
        f"The mirror is being changed: try again in some minutes, or {_ANOTHER}",
    ),
    (
        "Could not|Unable to connect|Failed to fetch|timed out|Connection failed|Certificate",
        f"Check the network and apt's proxy, or {_ANOTHER}",
    ),
    (
        "does not have a Release file|Malformed entry|method driver",
        f"Is that a Debian archive? Correct {MIRROR_VARIABLE}, or if it is not set apt's sources",
    ),
)


def explain(doing: str, program: str, stdout: str, stderr: str) -> str:
    """Return what failed in apt's words, and below them what to do where that is known."""
    said = [line for line in stderr.splitlines() if line.startswith(("E: ", "W: "))]
    said = [line for line in dict.fromkeys(said) if not line.startswith(_NOISE)]
    is_apts = any(line.startswith("E: ") for line in said)
    lines = said if is_apts else (stdout + stderr).splitlines()
    text = "\n".join(lines[-_LINES_SHOWN:])
    advice = [fix for pattern, fix in _ADVICE if re.search(pattern, text)]
    return "\n".join([f"{doing} failed, by {program}:", text, *advice[:1]])
