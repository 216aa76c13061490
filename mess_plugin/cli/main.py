"""The command group, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
from functools import cache

import click

from mess_plugin.cli.output import escape_what_cannot_be_shown, say
from mess_plugin.errors import MessError
from mess_plugin.logs import level_wanted, log_messages
from mess_plugin.waiting import tell_what_is_waited_for

_COMMANDS = {
    "about": ("mess_plugin.cli.about", "Show tempo, key and loudness of a track."),
    "backup": ("mess_plugin.cli.backup", "Write the library to a file."),
    "clusters": ("mess_plugin.cli.exploring", "Show what kinds of music the library holds."),
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
    "forget": ("mess_plugin.cli.library", "Remove files from the library (not from the disk)."),
    "like": ("mess_plugin.cli.taste", "Note that a track is a good answer to another one."),
    "logs": ("mess_plugin.cli.logs", "Show what the services have logged."),
    "map": ("mess_plugin.cli.exploring", "Draw the library in two dimensions."),
    "metric": ("mess_plugin.cli.metric", "Learn from pairs what counts as alike."),
    "never": ("mess_plugin.cli.never", "Keep a list of what is never suggested."),
    "playlist": ("mess_plugin.cli.playlist", "Make playlists that flow."),
    "restore": ("mess_plugin.cli.backup", "Put a library back that was backed up."),
    "sections": ("mess_plugin.cli.sections", "List the sections of a track, and draw its form."),
    "pretrain": ("mess_plugin.cli.pretrain", "Train mess-mini from recordings."),
    "similar": ("mess_plugin.cli.similar", "Find what sounds like a track, a file or a section."),
    "skip": ("mess_plugin.cli.taste", "Note that a track was skipped as an answer to another."),
    "status": ("mess_plugin.cli.library", "Show what the library holds and what is being done."),
    "tag": ("mess_plugin.cli.tag", "Write tempo, key and loudness into the tags of your files."),
    "taste": ("mess_plugin.cli.taste", "Show, reset or export what a listener's verdicts say."),
    "uninstall": ("mess_plugin.cli.uninstall", "Show what is on this machine, and remove it."),
    "upgrade": ("mess_plugin.cli.backup", "Move the database to a newer version of Postgres."),
    "up": ("mess_plugin.cli.services", "Keep the services and a worker running."),
}


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
            attribute = {"map": "map_command"}.get(cmd_name, cmd_name)
            return _imported(f"{_COMMANDS[cmd_name][0]}:{attribute}")
        added = _contributed().get(cmd_name)
        return _imported(added) if added and "." not in cmd_name else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = None if name in _COMMANDS else self.get_command(ctx, name)
            rows.append((name, command.get_short_help_str(80) if command else _COMMANDS[name][1]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415  as above

        click.echo(f"mess {version('mess-plugin')}")
        context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version)
def cli() -> None:
    """Expressive music similarity search: find what feels alike, by ear."""


def main() -> None:
    """Run the command line. Exit code 0: done, 1: failed, 2: wrong usage, 130: interrupted."""
    # Else the interpreter would look through all objects of all modules once more before it ends,
    # which takes about a tenth of a short command's time.
    atexit.register(gc.freeze)
    escape_what_cannot_be_shown()
    tell_what_is_waited_for(say)
    try:
        log_messages(level_wanted())
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = 130
    except MessError as error:
        say(f"mess: {error}")
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        say(f"mess: {_plain(error)}")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _plain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{(error.strerror or str(error)).lower()}"
