"""Remembers to which repository of a registry blobs were pushed, so that others can mount them.

A hint: what is not there any more, or may not be read, is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from leoflow_builder.cachehold import hold
from leoflow_builder.wholefile import write_whole

# So many blobs are remembered of one registry: those that were pushed last.
REMEMBERED = 1024


class PushMemory:
    """What was pushed to the registry at ``host``, kept in a folder; with None nothing is."""

    def __init__(self, folder: Path | None, host: str) -> None:
        name = hashlib.sha256(host.encode()).hexdigest()[:16]
        self._record = None if folder is None else folder / f"{name}.json"

    def sources(self) -> Mapping[str, str]:
        """Return the repositories that have blobs, by the blobs' digests."""
        if self._record is None:
            return {}
        hold(self._record)
        try:
            found = json.loads(self._record.read_bytes())
            return {str(digest): str(repository) for digest, repository in found.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def note(self, repository: str, digests: Iterable[str]) -> None:
        """Remember that a repository has blobs; where nothing can be written, it is forgotten."""
        if self._record is None:
            return
        new = dict.fromkeys(digests, repository)
        known = {digest: one for digest, one in self.sources().items() if digest not in new}
        kept = dict(list({**known, **new}.items())[-REMEMBERED:])
        with suppress(OSError):
            self._record.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._record, json.dumps(kept).encode())
