"""How a command ends: every error becomes a text for people and an exit code, in one place."""

from __future__ import annotations

import sys

import click

from leoflow_cli.outcome import INTERRUPTED, INVALID_INPUT, SUCCESS


def guarded(cli: click.Command) -> int:
    """Run ``cli``; print the error that it ends with, if any, and return the exit code."""
    try:
        # Outside of its standalone mode click returns the code of Context.exit().
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return INVALID_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception as error:
        return _explain(error)
    return code if isinstance(code, int) else SUCCESS


def _explain(error: Exception) -> int:
    from leoflow_cli import failure

    text, exit_code = failure.explain(error)
    click.echo(text, err=True)
    return exit_code
