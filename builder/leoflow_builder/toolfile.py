"""What in a project folder is not the user's: files of tools, and of leoflow's own. Pure names.

Standard library only: an unchanged build takes less time than most libraries take to import.
"""

from __future__ import annotations

import os
from pathlib import Path

# Written by `leoflow build` itself: the image must not depend on its own digest.
BUILT_FILE = "dag.json"
LEFT_OUT_FOLDERS = {
    ".git", ".hg", ".svn", ".idea", ".vscode", ".venv", ".tox", ".nox", "__pycache__",
    ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints",
}  # fmt: skip
LEFT_OUT_FILES = {".DS_Store", ".git"}
_UNFINISHED = (".leoflow.lock.", ".dag.json.")


def is_a_tools(entry: Path, is_folder: bool) -> bool:
    """Tell whether a file or folder is left out of every image without a word."""
    if is_folder:
        # pathlib's own way raises for a folder that cannot be entered.
        return entry.name in LEFT_OUT_FOLDERS or os.path.exists(entry / "pyvenv.cfg")  # noqa: PTH110
    return entry.name in LEFT_OUT_FILES or entry.name.startswith(_UNFINISHED)
