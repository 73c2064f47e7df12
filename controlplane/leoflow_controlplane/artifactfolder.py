"""Where the artifacts of a try are kept on the machine of the control plane. Names it only."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from leoflow_controlplane.model import TryKey


def artifact_folder(home: Path, key: TryKey) -> Path:
    """Give the folder of a try; ``home`` is LEOFLOW_HOME."""
    words = [key.dag_id, key.run_id, key.task_id]
    if key.map_index >= 0:
        words.append(str(key.map_index))
    return (home / "runs").joinpath(*map(_path_word, words), f"try-{key.try_number}")


def _path_word(word: str) -> str:
    """Make a name that is one path component, and another one for another word."""
    safe = re.sub(r"[^A-Za-z0-9_.+-]", "-", word)
    if safe == word and word not in ("", ".", ".."):
        return word
    return f"{safe[:80]}-{hashlib.sha256(word.encode()).hexdigest()[:8]}"
