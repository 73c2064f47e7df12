"""Every way for a command to end has an exit code and, where it failed, a text on stderr."""

from __future__ import annotations

import io
import signal

import click
import pytest
from leoflow_builder.failure import BuildError
from leoflow_builder.problem import Problem, ProjectError
from leoflow_builder.recipe import BaseImageError
from leoflow_cli.guard import guarded
from leoflow_cli.outcome import InvalidInput, Unusable
from leoflow_cli.screen import Screen
from leoflow_controlplane.error import DatabaseUnusable, RunRefused, SettingInvalid

PROBLEM = ProjectError([Problem("dag.py", 3, "is wrong")])


def _command(error: BaseException | None) -> click.Command:
    @click.command()
    def command() -> None:
        if error is not None:
            raise error

    return command


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch):
    monkeypatch.setattr("sys.argv", ["leoflow"])


@pytest.mark.parametrize(
    ("error", "exit_code", "text"),
    [
        (None, 0, ""),
        (PROBLEM, 2, "dag.py:3: is wrong\n1 problem\n"),
        (InvalidInput("--conf is no JSON"), 2, "error: --conf is no JSON\n"),
        (RunRefused("no such task"), 2, "error: no such task\n"),
        (SettingInvalid("0 is too few"), 2, "error: 0 is too few\n"),
        (Unusable("no room"), 3, "error: no room\n"),
        (click.UsageError("no such option"), 2, "no such option"),
        (BuildError("no builder"), 3, "error: no builder\n"),
        (BaseImageError("no mmdebstrap"), 3, "error: no mmdebstrap\n"),
        (DatabaseUnusable("too new"), 3, "error: too new\n"),
        (OSError(28, "No space left on device", "/x/y"), 3, "'/x/y': No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (ZeroDivisionError("oops"), 3, "this is a bug in leoflow"),
    ],
)
def test_endings(error, exit_code, text, capsys):
    assert guarded(_command(error)) == exit_code
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.out == ""


def test_an_unforeseen_error_keeps_its_traceback(capsys):
    guarded(_command(ZeroDivisionError("oops")))
    assert "ZeroDivisionError: oops" in capsys.readouterr().err


def test_a_command_may_choose_its_exit_code():
    @click.command()
    @click.pass_context
    def command(context: click.Context) -> None:
        context.exit(1)

    assert guarded(command) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_wishes_to_stop_end_a_command_as_ctrl_c_does(number, capsys):
    cleaned_up = []

    @click.command()
    def command() -> None:
        try:
            signal.raise_signal(number)
        finally:
            cleaned_up.append(True)

    before = signal.signal(number, signal.SIG_DFL)
    try:
        assert guarded(command) == 130
    finally:
        signal.signal(number, before)
    assert cleaned_up
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_hangup_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert guarded(_command(None)) == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_gone_does_not_change_the_exit_code(monkeypatch):
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stderr", Gone())
    assert guarded(_command(BuildError("no builder"))) == 3


def test_a_broken_pipe_under_the_screen_is_no_failed_run(monkeypatch):
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    @click.command()
    def command() -> None:
        Screen().line("building", style="bold")

    monkeypatch.setattr("sys.stderr", Gone())
    assert guarded(command) == 3


def test_an_error_cannot_move_the_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    guarded(_command(BuildError("the registry says: \x1b[2J\x1b]0;title\x07no")))
    assert terminal.getvalue() == "error: the registry says: no\n"
