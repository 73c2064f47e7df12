"""Whether the folder that the tries of a run share has grown beyond its size.

No driver of volumes keeps that limit, so the task that is over when it ends fails. Imported only
where there is such a folder.
"""

import posix

from leoflow_agent import exitcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import DirEntry

FOLDER, LIMIT = b"LEOFLOW_STAGING", b"LEOFLOW_STAGING_BYTES"
BLOCK_BYTES = 512
MIB = 1024 * 1024


def judge() -> "tuple[str, str | None, int]":
    """Return state, reason and exit code of a task that has succeeded in all else."""
    limit = int(posix.environ[LIMIT])
    used = measure(posix.environ[FOLDER])
    if used <= limit:
        return "success", None, exitcode.SUCCESS
    return (
        "failed",
        f"the run's shared folder holds {used / MIB:.1f} MiB, and its size is {limit / MIB:.1f} "
        "MiB. Remove files that are not needed any more, or raise staging.size in leoflow.yaml.",
        exitcode.USER_FAILURE,
    )


def measure(folder: bytes) -> int:
    """Return what the files in a folder take on disk, in bytes; links are not followed."""
    used, waiting = 0, [folder]
    while waiting:
        try:
            with posix.scandir(waiting.pop()) as entries:
                for entry in entries:
                    used += _size(entry)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            # Another task may remove what we look at.
            continue
    return used


def _size(entry: "DirEntry[bytes]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
    except OSError:
        return 0
