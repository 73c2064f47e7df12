"""Keeps what was worked out of the same text by the same leoflow, so that it is not done again.

Only for pure functions of the text. A record that cannot be read counts as none.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leoflow_builder.cachehold import hold
from leoflow_builder.unchanged import own_print
from leoflow_builder.wholefile import write_whole


@dataclass(frozen=True)
class Memo:
    """Records in a folder of the cache, one for a text; with None nothing is kept."""

    folder: Path | None = None

    def recall(self, kind: str, text: str) -> Any:
        """Return the document that was kept for a text, or None."""
        if self.folder is None:
            return None
        record = self._record(self.folder, kind, text)
        try:
            digest, _, known = record.read_text(encoding="utf-8").partition("\n")
        except (OSError, ValueError):
            return None
        if digest != _digest(known):
            return None
        hold(record)
        return json.loads(known)

    def keep(self, kind: str, text: str, document: Any) -> None:
        """Keep a JSON document for a text; where nothing can be written, it is not kept."""
        if self.folder is None:
            return
        record = self._record(self.folder, kind, text)
        known = json.dumps(document)
        with suppress(OSError):
            record.parent.mkdir(parents=True, exist_ok=True)
            write_whole(record, f"{_digest(known)}\n{known}".encode())

    @staticmethod
    def _record(folder: Path, kind: str, text: str) -> Path:
        return folder / f"{kind}-{_digest(f'{own_print()} {text}')[:24]}.json"


FORGETFUL = Memo()


def memo_in(home: Path) -> Memo:
    """Return the memo in LEOFLOW_HOME."""
    return Memo(home.absolute() / "cache" / "checked")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
