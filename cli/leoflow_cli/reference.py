"""Writes docs/command-line.md out of the commands themselves: `python -m leoflow_cli.reference`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from leoflow_cli.main import SUBCOMMANDS, cli

INTRODUCTION = """\
# The command line

Written by `python -m leoflow_cli.reference`; each command says the same with `--help`.

With `--json` a command prints exactly one JSON object on stdout. Everything for people goes to
stderr, except what is asked for as text: `leoflow logs`, `leoflow variables get` and
`leoflow tokens create` print that on stdout.

| exit code | means |
|---|---|
| 0 | done; with `run`, `trigger --wait` and `backfill create --wait`: success |
| 1 | the run failed, or the image is over its budget |
| 2 | invalid input: the project, what was typed, a setting, or what a control plane refused |
| 3 | the machinery failed: engine, disk, or a control plane that does not answer |
| 130 | interrupted |

Commands with ☁ ask a control plane ([which](triggering.md#which-control-plane)); each of them also
has `--server URL` and `--token-file PATH`.
"""
SHARED = {"server", "token_file", "as_json"}


def write() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    context = click.Context(cli, info_name="leoflow")
    for name in sorted(SUBCOMMANDS):
        command = cli.get_command(context, name)
        assert command is not None
        parts += _describe(f"leoflow {name}", command)
    return "\n".join(parts)


def _describe(name: str, command: click.Command, level: str = "##") -> Iterator[str]:
    mark = " ☁" if any(one.name == "token_file" for one in command.params) else ""
    yield f"{level} {name}{mark}\n"
    words = [one for one in command.params if isinstance(one, click.Argument)]
    arguments = [one.make_metavar(click.Context(command)) for one in words]
    options = "[OPTIONS] " if any(isinstance(one, click.Option) for one in command.params) else ""
    if not isinstance(command, click.Group):
        yield f"`{name} {options}{' '.join(arguments)}".rstrip() + "`\n"
    yield _text(command.help or "") + "\n"
    rows = [_row(one) for one in command.params if isinstance(one, click.Option)]
    shown = [row for row in rows if row]
    if shown:
        yield "\n".join(["| option | does |", "|---|---|", *shown]) + "\n"
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _describe(f"{name} {inner.name}", inner, "###")


def _row(option: click.Option) -> str:
    if option.name in SHARED:
        return "" if option.name != "as_json" else f"| `--json` | {option.help} |"
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" {_value(option)}"
    default = option.default if option.show_default and option.default is not None else None
    told = f"{option.help} Default: {default}." if default is not None else option.help
    needed = " Needed." if option.required else ""
    return f"| {names}{value} | {told}{needed} |"


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return " \\| ".join(f"`{choice}`" for choice in option.type.choices)
    value = option.metavar or option.type.name.upper().replace(" RANGE", "")
    return value.replace("|", "\\|")


def _text(help_text: str) -> str:
    paragraphs = (" ".join(one.split()) for one in help_text.split("\n\n"))
    return "\n\n".join(paragraphs)


if __name__ == "__main__":
    print(write(), end="")
