"""The command ``leoflow``. Subcommands are loaded by name, each when it is called.

Imports neither builder nor control plane, so that ``leoflow --help`` answers at once.
"""

from __future__ import annotations

import gc
import importlib

import click

from leoflow_cli.group import HelpfulGroup

SUBCOMMANDS = {
    "agent-image": "Build the image of the agents, for images that leoflow did not build.",
    "backfill": "Run a DAG for each data interval of a time that is past.",
    "build": "Build a project into an image and a dag.json.",
    "cache": "Show what leoflow keeps to be fast, and prune it.",
    "connections": "List, set, import and delete the connections that tasks may declare.",
    "dags": "List a control plane's DAGs; show, pause and delete them.",
    "init": "Make a new project that builds and runs as it is.",
    "inspect": "Show what is in an image, and what differs from another one.",
    "lock": "Write leoflow.lock: exact versions and hashes of the dependencies.",
    "logs": "Show what the tasks of a run have printed.",
    "push": "Register a built project with a control plane.",
    "run": "Run a project's DAG once, every try in a fresh container.",
    "runs": "List a control plane's runs; show, cancel, clear and delete them.",
    "server": "Run the control plane.",
    "server-image": "Build the image of the control plane.",
    "tokens": "List, make and delete the tokens that a control plane accepts.",
    "trigger": "Start a run of a DAG that a control plane knows.",
    "validate": "Check a project and list everything that is wrong with it.",
    "variables": "List, set, import and delete the variables that tasks may declare.",
}


# What is imported stays; to look through it again and again is a tenth of a short command's time.
OBJECTS_PER_COLLECTION = 50_000


class _LazyGroup(HelpfulGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in SUBCOMMANDS:
            return None
        module = importlib.import_module(f"leoflow_cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(sorted(SUBCOMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="leoflow", prog_name="leoflow")
def cli() -> None:
    """Airflow-style DAGs: one slim image per DAG, one fresh container per task try."""


def main() -> int:
    """Run the command line and return its exit code."""
    from leoflow_cli.guard import guarded

    gc.set_threshold(OBJECTS_PER_COLLECTION)
    return guarded(cli)
