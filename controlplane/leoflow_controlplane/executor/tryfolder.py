"""What a try that is a process leaves on disk, so that another control plane can adopt it.

The process itself writes its id, before the agent begins: a folder without one is of a try that
never ran.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from leoflow_agent.wire import MAX_VERDICT_BYTES

from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.verdict import Exit, judge_code

TAIL_BYTES = 16 * 1024
UNKNOWN = Exit(
    None,
    reason="its process ended while its control plane was away, and left no word of how",
    machinery=True,
)


class TryFolder(NamedTuple):
    """The files of one try."""

    path: Path

    @property
    def pid_file(self) -> Path:
        """Where the process writes its id."""
        return self.path / "pid"

    @property
    def output(self) -> Path:
        """What the agent writes to its own output."""
        return self.path / "output"

    @property
    def verdict(self) -> Path:
        """Where the agent leaves a verdict that nobody came for."""
        return self.path / "verdict"

    def make(self, key: TryKey) -> None:
        """Make the folder, if it is not there."""
        self.path.mkdir(parents=True, exist_ok=True)
        fresh = self.path / "key.new"
        fresh.write_text(json.dumps(key))
        fresh.rename(self.path / "key")

    def read_key(self) -> TryKey | None:
        """Tell whose folder it is; None if its maker was killed before that was written."""
        with suppress(OSError, ValueError, TypeError):
            return TryKey(*json.loads((self.path / "key").read_text()))
        return None

    def read_pid(self) -> int | None:
        """Tell the process's id; None if it never ran."""
        with suppress(OSError, ValueError):
            return int(self.pid_file.read_text())
        return None

    def read_tail(self) -> str | None:
        """Give the last lines of the output."""
        with suppress(OSError):
            return self.output.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace") or None
        return None

    def read_verdict(self) -> bytes | None:
        """Give the verdict that was left."""
        with suppress(OSError), self.verdict.open("rb") as file:
            return file.read(MAX_VERDICT_BYTES)
        return None

    def judge(self) -> Exit:
        """Tell how a process ended that was nobody's child: its agent may have left the code."""
        with suppress(LookupError, TypeError, ValueError, RecursionError):
            code = json.loads(self.read_verdict() or b"")["exit_code"]
            if isinstance(code, int):
                return judge_code(code)
        return UNKNOWN

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path, ignore_errors=True)


def name_of(key: TryKey | RunKey) -> str:
    """Name the folder of a try or a run: always the same for the same, and for no other."""
    return hashlib.sha256("\0".join(map(str, key)).encode()).hexdigest()[:16]


def find_folders(place: Path) -> Iterator[tuple[TryKey | None, TryFolder]]:
    """Find the folders of all tries in ``place``."""
    for path in sorted(place.glob("*/")):
        folder = TryFolder(path)
        yield folder.read_key(), folder
