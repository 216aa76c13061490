"""The command group, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import atexit
import gc
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import click

from mess_plugin.cli.output import escape_what_cannot_be_shown, is_coloured, say
from mess_plugin.errors import MessError
from mess_plugin.logs import level_wanted, log_messages
from mess_plugin.waiting import tell_what_is_waited_for

_COMMANDS = {
    "about": ("mess_plugin.cli.about", "Show tempo, key and loudness of a track."),
    "backup": ("mess_plugin.cli.backup", "Write the library to a file."),
    "clusters": ("mess_plugin.cli.exploring", "Show what kinds of music the library holds."),
    "completion": ("mess_plugin.cli.completion", "Complete commands and titles in your shell."),
    "config": ("mess_plugin.cli.config", "Show the settings and where each comes from; set them."),
    "doctor": ("mess_plugin.cli.doctor", "Check that everything works, and say what to do if not."),
    "down": ("mess_plugin.cli.services", "Stop the services that `mess up` started."),
    "duplicates": ("mess_plugin.cli.duplicates", "Link recordings that are the same music."),
    "embed": ("mess_plugin.cli.vectors", "Write the vectors of files without storing them."),
    "encoders": ("mess_plugin.cli.encoders", "List the encoders; change the one in use."),
    "evaluate": ("mess_plugin.cli.evaluate", "Measure how well the library answers questions."),
    "export": ("mess_plugin.cli.vectors", "Write the vectors of the library to a file."),
    "facets": ("mess_plugin.cli.facets", "Hear the facets of tracks that lack them."),
    "failures": ("mess_plugin.cli.library", "List the files that could not be indexed, and why."),
    "dislike": ("mess_plugin.cli.taste", "Note that a track is no good answer to another one."),
    "find": ("mess_plugin.cli.find", "Find tracks by words: what is sung, what it sounds like."),
    "forget": ("mess_plugin.cli.library", "Remove files from the library (not from the disk)."),
    "help": ("mess_plugin.cli.main", "Show the help of a command, or of all."),
    "like": ("mess_plugin.cli.taste", "Note that a track is a good answer to another one."),
    "logs": ("mess_plugin.cli.logs", "Show what the services have logged."),
    "ls": ("mess_plugin.cli.ls", "List the tracks by words, tags and what was heard."),
    "map": ("mess_plugin.cli.exploring", "Draw the library in two dimensions."),
    "metric": ("mess_plugin.cli.metric", "Learn from pairs what counts as alike."),
    "never": ("mess_plugin.cli.never", "Keep a list of what is never suggested."),
    "play": ("mess_plugin.cli.play", "Play tracks in a player of this machine."),
    "playlist": ("mess_plugin.cli.playlist", "Make playlists that flow."),
    "restore": ("mess_plugin.cli.backup", "Put a library back that was backed up."),
    "sections": ("mess_plugin.cli.sections", "List the sections of a track, and draw its form."),
    "pretrain": ("mess_plugin.cli.pretrain", "Train mess-mini from recordings."),
    "similar": ("mess_plugin.cli.similar", "Find what sounds like a track, a file or a section."),
    "skip": ("mess_plugin.cli.taste", "Note that a track was skipped as an answer to another."),
    "status": ("mess_plugin.cli.library", "Show what the library holds and what is being done."),
    "tag": ("mess_plugin.cli.tag", "Write tempo, key and loudness into the tags of your files."),
    "taste": ("mess_plugin.cli.taste", "Show, reset or export what a listener's verdicts say."),
    "tune": ("mess_plugin.cli.tune", "Fine-tune MERT by pairs of your own."),
    "uninstall": ("mess_plugin.cli.uninstall", "Show what is on this machine, and remove it."),
    "upgrade": ("mess_plugin.cli.backup", "Move the database to a newer version of Postgres."),
    "up": ("mess_plugin.cli.services", "Keep the services and a worker running."),
}
_GROUPS = {
    "Indexing": ("index", "watch", "status", "failures", "facets", "encoders", "forget"),
    "Search and playlists": (
        "similar", "find", "ls", "about", "sections", "play", "playlist", "clusters", "map", "open",
    ),
    "Your taste": ("like", "dislike", "skip", "taste", "never", "metric", "duplicates", "evaluate"),
    "Other programs": ("jellyfin", "osc", "serve", "sessions", "tag", "lyrics", "export", "embed"),
    "Running MESS": (
        "up", "down", "logs", "config", "doctor", "backup", "restore", "upgrade", "worker",
        "completion", "help", "pretrain", "tune", "uninstall",
    ),
}  # fmt: skip
"""Heading of the help → commands in the order in which people meet them; others come last."""


@cache
def _contributed() -> dict[str, str]:
    """Commands of the packages above: name → "module:attribute"."""
    from importlib.metadata import entry_points  # noqa: PLC0415  costs more than most commands

    return {point.name: point.value for point in entry_points(group="mess.commands")}


class Extensible(click.Group):
    """A command with commands of its own, to which packages above add some as "command.name"."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: D102  click's
        added = (name.removeprefix(f"{self.name}.") for name in _contributed() if "." in name)
        return sorted({*super().list_commands(ctx), *(name for name in added if "." not in name)})

    def get_command(  # noqa: D102  click's
        self, ctx: click.Context, cmd_name: str
    ) -> click.Command | None:
        added = _contributed().get(f"{self.name}.{cmd_name}")
        return _imported(added) if added else super().get_command(ctx, cmd_name)


def _imported(value: str) -> click.Command:
    module, _, attribute = value.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


class _Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted({*_COMMANDS, *(name for name in _contributed() if "." not in name)})

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name in _COMMANDS:
            # A command may not be called what Python calls something else.
            attribute = {"map": "map_command", "help": "help_command"}.get(cmd_name, cmd_name)
            return _imported(f"{_COMMANDS[cmd_name][0]}:{attribute}")
        added = _contributed().get(cmd_name)
        return _imported(added) if added and "." not in cmd_name else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; for a name that there is not, the ones that look like it."""
        if (
            not ctx.resilient_parsing
            and self.get_command(ctx, args[0]) is None
            and args[0][:1] != "-"
        ):
            ctx.fail(f"No such command {args[0]!r}.{_meant(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        grouped = {name for group in _GROUPS.values() for name in group}
        rest = tuple(name for name in names if name not in grouped)
        for title, group in {**_GROUPS, "More": rest}.items():
            if rows := [(name, self._short_help(ctx, name)) for name in group if name in names]:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> Any:
        """Names of commands, without loading any of them."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  only on a key press

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [
            CompletionItem(name, help=_COMMANDS[name][1] if name in _COMMANDS else None)
            for name in names
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def _short_help(self, ctx: click.Context, name: str) -> str:
        if name in _COMMANDS:
            return _COMMANDS[name][1]
        command = self.get_command(ctx, name)
        return command.get_short_help_str(80) if command else ""


def _meant(name: str, names: Sequence[str]) -> str:
    """What is added to the message about a name that there is not."""
    from difflib import get_close_matches  # noqa: PLC0415  only after a mistake

    close = get_close_matches(name, names)
    return f" Did you mean {' or '.join(f'`mess {one}`' for one in close)}?" if close else ""


class _Formatter(click.HelpFormatter):
    """Help with bold headings where colours are wanted."""

    def write_heading(self, heading: str) -> None:
        styled = click.style(heading, bold=True) if is_coloured(sys.stdout) else heading
        super().write_heading(styled)


click.Context.formatter_class = _Formatter


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415  as above

        click.echo(f"mess {version('mess-plugin')}")
        context.exit()


def _verbose(context: click.Context, _option: click.Parameter, n: int) -> None:
    if n and not context.resilient_parsing:
        logging.getLogger().setLevel(logging.INFO if n == 1 else logging.DEBUG)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version.",
)  # fmt: skip
@click.option(
    "-v", "--verbose", count=True, expose_value=False, callback=_verbose,
    help="Say more of what is done; twice: everything.",
)  # fmt: skip
def cli() -> None:
    """Expressive music similarity search: find what feels alike, by ear.

    `mess help COMMAND` tells more of a command.
    """


@click.command(name="help")
@click.argument("names", nargs=-1, metavar="[COMMAND]…")
@click.pass_context
def help_command(context: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command, or of all."""
    asked = context.find_root()
    for name in names:
        group = asked.command
        if not isinstance(group, click.Group):
            context.fail(f"`{asked.command_path}` has no command {name!r}.")
        _, command, _ = group.resolve_command(asked, [name])
        assert command is not None
        asked = click.Context(command, asked, name)
    click.echo(asked.get_help())


def main() -> None:
    """Run the command line. Exit code 0: done, 1: failed, 2: wrong usage, 130: interrupted."""
    # Else the interpreter would look through all objects of all modules once more before it ends,
    # which takes about a tenth of a short command's time.
    atexit.register(gc.freeze)
    escape_what_cannot_be_shown()
    tell_what_is_waited_for(say)
    try:
        if "_MESS_COMPLETE" in os.environ:
            importlib.import_module("mess_plugin.cli.completion")  # which knows how bash quotes
        log_messages(level_wanted())
        code = cli.main(standalone_mode=False, color=is_coloured(sys.stdout) or None)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = 130
    except MessError as error:
        say(f"mess: {error}", fg="red")
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        say(f"mess: {_plain(error)}", fg="red")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _plain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{(error.strerror or str(error)).lower()}"
