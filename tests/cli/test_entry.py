"""Ctrl-C before a command has begun, or after it is over, shows no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

# Stands for the time that imports take: whoever imports click gets a Ctrl-C.
INTERRUPTED_IMPORT = """
import sys, signal
class Slow:
    def find_spec(self, name, *_):
        if name == "click":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Slow())
"""
INTERRUPTED_END = """
import atexit, signal
atexit.register(signal.raise_signal, signal.SIGINT)
"""
INTERRUPTED_TWICE = """
import signal, leoflow_cli.guard
def tell(text):
    signal.raise_signal(signal.SIGINT)
leoflow_cli.guard._tell = tell
class Cli:
    def main(self, **_):
        signal.raise_signal(signal.SIGINT)
import leoflow_cli.main
leoflow_cli.main.cli = Cli()
"""


PRINTING = """
import click, leoflow_cli.main
from leoflow_cli.plain import print_json
@click.command()
@click.option("--json", "as_json", is_flag=True)
def cli(as_json):
    text = "\\U0001f600 \\ud800"
    print_json({"text": text}) if as_json else click.echo(text)
leoflow_cli.main.cli = cli
"""


def run(first: str, *arguments: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    code = f"{first}\nfrom leoflow_cli.entry import main\nmain()"
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_while_commands_are_loaded() -> None:
    done = run(INTERRUPTED_IMPORT, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_after_the_command_is_over() -> None:
    done = run(INTERRUPTED_END, "--version")
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_again_while_the_first_one_is_told() -> None:
    done = run(INTERRUPTED_TWICE)
    assert (done.returncode, done.stderr) == (130, "")


def test_an_exit_code_is_passed_on() -> None:
    assert run("", "no-such-command").returncode == 2


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_what_stdout_cannot_take_is_escaped_in_json(encoding: str) -> None:
    done = run(PRINTING, "--json", encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"text": "\U0001f600 \ud800"}


@pytest.mark.parametrize(
    ("encoding", "face"), [("utf-8", "\U0001f600"), ("latin-1", r"\U0001f600")]
)
def test_what_stdout_cannot_take_is_told_of(encoding: str, face: str) -> None:
    done = run(PRINTING, encoding=encoding)
    assert (done.returncode, done.stdout) == (0, rf"{face} \ud800" + "\n")


def test_a_stdout_that_is_closed_is_no_failure() -> None:
    done = run(f"{PRINTING}\nimport sys; sys.stdout = None", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
