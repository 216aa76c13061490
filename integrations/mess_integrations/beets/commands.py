"""`beet similar` and `beet mess`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from logging import Logger
from optparse import Option, OptionParser, OptionValueError, Values
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.dbcore import types
from beets.library import Album, Item, Library
from beets.util.units import raw_seconds_short

from mess_integrations.beets.client import MessClient, translated
from mess_integrations.beets.fields import UserError
from mess_integrations.beets.options import add_steering_options, words_of

if TYPE_CHECKING:
    from mess_integrations.beets.answers import BeetsAnswer, BeetsQuestion
    from mess_plugin.model import Interval


class BeetsCommands:
    """The commands. k, relative_to: defaults of the configuration."""

    def __init__(self, client: MessClient, log: Logger, k: int, relative_to: str | None) -> None:
        self._client = client
        self._log = log
        self._k = k
        self._relative_to = relative_to

    def all(self) -> list[ui.Subcommand]:
        """Both commands."""
        return [self._similar_command(), self._mess_command()]

    def _similar_command(self) -> ui.Subcommand:
        command = ui.Subcommand("similar", help="find what feels like the tracks of a query")
        parser = command.parser
        parser.set_usage("beet similar [options] QUERY")
        parser.add_all_common_options()
        parser.add_option("-k", "--k", type="int", default=self._k, metavar="N",
            help=f"how many answers (default: {self._k})")  # fmt: skip
        for flag, old, dest in (("--start", "--from", "start_s"), ("--end", "--to", "end_s")):
            parser.add_option(flag, old, dest=dest, type="string", action="callback", callback=_time,
                metavar="TIME", help="ask about a section only: seconds or M:SS")  # fmt: skip
        add_steering_options(parser)
        parser.add_option("--why", action="store_true", help="say why each answer matches")
        parser.add_option("-o", "--out", "--m3u", dest="m3u", metavar="FILE",
            help="write a playlist too")  # fmt: skip
        parser.add_option("--relative-to", default=self._relative_to, metavar="PLACE",
            help="paths in it are relative to: library, playlist, or a folder")  # fmt: skip
        command.func = self._similar
        return command

    def _mess_command(self) -> ui.Subcommand:
        command = ui.Subcommand("mess", help="how far MESS is, and let it hear what it has not")
        command.parser.set_usage("beet mess status | index | write [QUERY]")
        command.parser.add_option(
            "-p",
            "--pretend",
            action="store_true",
            help="write: say what would be written, and write nothing",
        )
        command.parser.add_option("-F", "--force", action="store_true",
            help="write: also where beets has a value already")  # fmt: skip
        command.func = self._mess
        return command

    def _similar(self, lib: Library, opts: Values, args: list[str]) -> None:
        if not args:
            raise UserError("similar to what? Give a query, for example: beet similar title:blue")
        with translated():
            question = _question(lib, opts)
        models: list[Item] | list[Album]
        if opts.album:
            models, answer = self._client.albums(lib, list(lib.albums(args)), question)
        else:
            answer = self._client.items(lib, list(lib.items(args)), question)
            models = [item for item, _ in answer.found]
        self._note(answer)
        self._print(models, opts)
        if opts.m3u:
            self._write_m3u(lib, opts, models)

    def _print(self, models: Sequence[Item | Album], opts: Values) -> None:
        for model in models:
            found = self._client.found(model)
            assert found is not None
            text = format(model, "")
            ui.print_(text if opts.format else f"{found.score:.2f}  {text}")
            if opts.why:
                ui.print_(f"      {found.why}")

    def _note(self, answer: BeetsAnswer) -> None:
        if answer.unindexed:
            names = ", ".join(str(item) for item in answer.unindexed[:3])
            more = "" if len(answer.unindexed) <= 3 else ", …"
            self._log.warning(
                "{} of the seeds not indexed yet and left out: {}{}",
                len(answer.unindexed), names, more,
            )  # fmt: skip
        for name in answer.not_in_beets:
            self._log.debug("left out, not in this beets library: {}", name)
        if not answer.found:
            self._log.info("nothing to show: no other indexed track of this library answers")

    def _write_m3u(self, lib: Library, opts: Values, models: Sequence[Item | Album]) -> None:
        from mess_integrations.beets import m3u  # noqa: PLC0415

        is_section = opts.start_s is not None or opts.end_s is not None
        items = [
            (item, self._section(model) if is_section else None)
            for model in models
            for item in (model.items() if isinstance(model, Album) else [model])
        ]
        path = Path(opts.m3u).expanduser()
        try:
            n = m3u.write(path, items, opts.relative_to, lib.directory)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}") from error
        self._log.info("{} tracks written to {}", n, path)

    def _section(self, model: Item | Album) -> Interval | None:
        """Where in an answer it sounds like the section that was asked about."""
        from mess_plugin.model import Interval  # noqa: PLC0415  numpy, which beets' start spares

        found = self._client.found(model)
        if isinstance(model, Album) or found is None or found.start_s is None:
            return None
        assert found.end_s is not None
        return Interval(found.start_s, found.end_s)

    def _mess(self, lib: Library, opts: Values, args: list[str]) -> None:
        actions = {"status": self._status, "index": self._index}
        if args and args[0] == "write":
            self._write(lib, opts, args[1:])
            return
        if not args or args[0] not in actions:
            raise UserError("wanted: beet mess status, index or write, and a QUERY if you like")
        actions[args[0]](lib, args[1:])

    def _write(self, lib: Library, opts: Values, query: list[str]) -> None:
        """Fill beets' own fields bpm and initial_key, where they are empty, from what was heard.

        beets writes them to its library, and to the files if it writes tags at all.
        """
        n_written = n_unheard = 0
        for item in lib.items(query):
            heard = self._client.heard(item, lib)
            n_unheard += heard is None
            if heard is None:
                continue
            said = {
                "bpm": round(heard.bpm) if heard.bpm else None,
                "initial_key": types.MusicalKey().normalize(heard.short_key or None),
            }
            new = {
                field: value
                for field, value in said.items()
                if value and item.get(field) != value and (opts.force or not item.get(field))
            }
            if not new:
                continue
            n_written += 1
            ui.print_(f"{item}: {', '.join(f'{field} {value}' for field, value in new.items())}")
            if not opts.pretend:
                item.update(new)
                item.try_sync(ui.should_write(), move=False)
        verb = "would be written" if opts.pretend else "written"
        self._log.info("{} tracks {}", n_written, verb)
        if n_unheard:
            self._log.info("{} tracks not heard yet: run `beet mess index`", n_unheard)

    def _status(self, lib: Library, query: list[str]) -> None:
        from mess_integrations.beets.session import describe_status  # noqa: PLC0415

        settings = self._client.settings()
        with translated():
            lines = describe_status(settings, os.fsdecode(lib.directory), _paths(lib.items(query)))
        for line in lines:
            ui.print_(line)

    def _index(self, lib: Library, query: list[str]) -> None:
        """Run `mess index` on the items' files, in the environment that beets runs in."""
        from mess_integrations.beets.session import opened  # noqa: PLC0415
        from mess_plugin.library.pathmap import linked_paths  # noqa: PLC0415
        from mess_plugin.services import environment  # noqa: PLC0415

        paths = [path for path in _paths(lib.items(query)) if Path(path).is_file()]
        if not paths:
            raise UserError("the query names no file that is there")
        settings = self._client.settings()
        with translated(), opened(settings) as (_, store):  # takes what waits, too
            names = linked_paths(store, os.fsdecode(lib.directory))
        done = subprocess.run(
            [sys.executable, "-m", "mess_plugin", "index", "--files-from", "-"],
            input=b"".join(os.fsencode(names.library(path)) + b"\0" for path in paths),
            env={**os.environ, **environment(settings)},
            check=False,
        )
        if done.returncode:
            raise UserError(f"`mess index` ended with code {done.returncode}")


def _question(lib: Library, opts: Values) -> BeetsQuestion:
    from mess_integrations.beets.answers import BeetsQuestion  # noqa: PLC0415
    from mess_plugin.search import parsing  # noqa: PLC0415
    from mess_plugin.search.references import interval_of  # noqa: PLC0415

    against: list[Item] = []
    for text in opts.against or ():
        named = list(lib.items(text))
        if not named:
            raise UserError(f"--not {text}: the query names no track")
        against += named
    interval = interval_of(opts.start_s, opts.end_s)
    return BeetsQuestion(opts.k, interval, tuple(against), parsing.query(words_of(opts)))


def _paths(items: Iterable[Item]) -> list[str]:
    return [os.fsdecode(item.path) for item in items]


def _time(option: Option, flag: str, value: str, parser: OptionParser, *_: Any) -> None:
    """Seconds or M:SS → seconds."""
    try:
        seconds = raw_seconds_short(value) if ":" in value else float(value)
    except ValueError as error:
        raise OptionValueError(f"{flag} is {value!r}: wanted seconds or M:SS") from error
    assert parser.values is not None
    setattr(parser.values, str(option.dest), seconds)
