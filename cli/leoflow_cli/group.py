"""Groups of commands that help whoever mistypes one, and list if nothing else was asked for."""

from __future__ import annotations

import click


class HelpfulGroup(click.Group):
    """Answers an unknown command with the one that was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not close:
                raise
            text = f"No such command '{args[0]}'. Did you mean '{close[0]}'?"
            raise click.UsageError(text, ctx) from error


class ListingGroup(HelpfulGroup):
    """Runs its command ``list`` where no command is named.

    A word that is no command is the list's argument if it takes one, so ``leoflow runs etl`` lists
    the runs of 'etl'.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not self._names_a_command(ctx, args):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def _names_a_command(self, ctx: click.Context, args: list[str]) -> bool:
        if not args:
            return False
        if args[0] in ctx.help_option_names or args[0] in self.commands:
            return True
        if args[0].startswith("-"):
            return False
        takes_one = any(isinstance(one, click.Argument) for one in self.commands["list"].params)
        # A second word is more than the list takes: the first one is a mistyped command.
        return not takes_one or (len(args) > 1 and not args[1].startswith("-"))
