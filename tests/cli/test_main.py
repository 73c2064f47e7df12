"""The command's entry answers at once and helps with what was mistyped."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner
from leoflow_cli.main import SUBCOMMANDS, cli

ASKING = ("backfill", "connections", "dags", "logs", "push", "runs", "tokens", "trigger")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in ASKING)])
def test_help_imports_neither_half(arguments: list[str]):
    program = (
        "import sys\n"
        "from leoflow_cli.main import cli\n"
        f"cli.main({arguments}, standalone_mode=False)\n"
        "heavy = {'leoflow_builder', 'leoflow_controlplane', 'pydantic', 'sqlalchemy', 'docker',\n"
        "         'starlette', 'python_on_whales', 'rich', 'asyncio', 'httpx'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_subcommand_has_help_that_begins_as_the_list_says():
    for name in SUBCOMMANDS:
        result = CliRunner().invoke(cli, [name, "--help"])
        assert result.exit_code == 0
        assert f"leoflow {name}" in result.output.replace("cli", "leoflow")


def test_a_misspelt_command_is_answered_with_the_right_one():
    result = CliRunner().invoke(cli, ["biuld"])
    assert result.exit_code == 2
    assert "Did you mean 'build'?" in result.output


def test_a_command_like_no_other_is_refused():
    result = CliRunner().invoke(cli, ["xyzzy"])
    assert result.exit_code == 2
    assert "Did you mean" not in result.output
