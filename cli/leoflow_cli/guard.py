"""How a command ends: every error becomes a text for people and an exit code, in one place."""

from __future__ import annotations

import contextlib
import signal
import sys

import click

from leoflow_cli.harmless import harmless
from leoflow_cli.outcome import INTERRUPTED, INVALID_INPUT, MACHINERY_FAILED, SUCCESS


def guarded(cli: click.Command) -> int:
    """Run ``cli``; print the error that it ends with, if any, and return the exit code."""
    _stop_as_ctrl_c_does()
    try:
        # Outside of its standalone mode click returns the code of Context.exit().
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return INVALID_INPUT
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted")
        return INTERRUPTED
    except SystemExit:
        # So click leaves, with 1, when nobody reads what is printed; but no run has failed.
        return MACHINERY_FAILED
    except Exception as error:
        return _explain(error)
    return code if isinstance(code, int) else SUCCESS


def _explain(error: Exception) -> int:
    from leoflow_cli import failure

    text, exit_code = failure.explain(error)
    _tell(text)
    return exit_code


def _stop_as_ctrl_c_does() -> None:
    """Let all wishes to stop clean up; what nohup ignores stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _tell(text: str) -> None:
    # What users' code raised and registries answered is in it.
    if sys.stderr.isatty():
        text = harmless(text)
    # A terminal that is gone must not change the verdict.
    with contextlib.suppress(OSError):
        click.echo(text, err=True)
