"""The process that sends inline calls: `python -m leoflow_controlplane.inline.child DESCRIPTOR`. It
lives as long as the other end of its pipe, and learns of the world what comes through that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

# On a busy machine whoever started this goes first: it answers agents.
NICENESS = 10


def main() -> None:
    """Make the calls that are ordered through the pipe, until its other end is closed."""
    # Ctrl-C and what ends a service go to all of its processes; who started this one ends it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # No session of its own: Linux shares processors out among sessions first.
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    # Heavy imports come once signals are ignored, and are not to hurry either.
    import uvloop

    from leoflow_controlplane.inline.desk import live

    uvloop.run(live(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
