"""Where the process of ``leoflow`` begins and ends. Imports nothing that takes time.

Ctrl-C while commands are loaded, or after one is over, ends it as any program: without a traceback.
"""

from __future__ import annotations

import io
import signal
import sys

_WISHES_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command line and leave with its exit code."""
    _die_of_signals()
    _print_anything()
    from leoflow_cli.main import main as run

    try:
        code = run()
    except KeyboardInterrupt:
        # The second Ctrl-C, while what the first one ends was told.
        code = 128 + signal.SIGINT
    _die_of_signals()
    sys.exit(code)


def _print_anything() -> None:
    """Let stdout show as "\\u2026" what its encoding does not have, as stderr does anyway."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _die_of_signals() -> None:
    """Undo Python's handler of Ctrl-C and leoflow's own ones; what is ignored stays ignored."""
    for number in _WISHES_TO_STOP:
        if signal.getsignal(number) == signal.default_int_handler:
            signal.signal(number, signal.SIG_DFL)
