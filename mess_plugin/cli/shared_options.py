"""Options as every command spells them, and help that shows them in groups with examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from mess_plugin.cli.output import F
from mess_plugin.errors import UsageError

ASKED, ANSWERS, OTHER = "The question", "The answers", "Other options"


class SpelledOption(click.Option):
    """An option of a group in the help, of which old spellings go on working without being shown."""

    def __init__(self, *args: Any, group: str = "", old: Sequence[str] = (), **more: Any) -> None:
        declared, *rest = args
        super().__init__([*declared, *old], *rest, **more)
        self.group = group
        self.old = frozenset(old)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:  # noqa: D102  click's
        everything, self.opts = self.opts, self.shown
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = everything

    def get_error_hint(self, ctx: click.Context | None) -> str:  # noqa: ARG002, D102  click's
        return " / ".join(f"'{name}'" for name in self.shown)

    @property
    def shown(self) -> list[str]:
        """The spellings that people are told."""
        return [name for name in self.opts if name not in self.old]


class GroupedCommand(click.Command):
    """A command whose help shows options by their groups, and examples after them."""

    def __init__(self, *args: Any, examples: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: D102
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if not isinstance(param, click.Option):
                continue
            if (record := param.get_help_record(ctx)) is not None:
                groups.setdefault(getattr(param, "group", "") or OTHER, []).append(record)
        groups[OTHER] = groups.pop(OTHER, [])  # --json, --help and the like come last
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: D102
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip().splitlines():
                    formatter.write(f"  {line.strip()}\n")
        super().format_epilog(ctx, formatter)


def time(text: str) -> float:
    """The type of an option that is a moment: seconds, or minutes and seconds such as 1:12.

    Raises UsageError.
    """
    from mess_plugin.search import parsing  # noqa: PLC0415  numpy, which most commands spare

    return parsing.moment("time", text)


def k_option(
    default: int | None,
    help_text: str = "How many.",
    *,
    old: Sequence[str] = (),
    group: str = "",
    kind: Any = int,
) -> Callable[[F], F]:
    """How many, as all commands spell it: -k and --k. default: None where it is worked out."""
    return click.option(
        "-k", "--k", "k", cls=SpelledOption, type=kind, default=default,
        show_default=default is not None, metavar="N", help=help_text, group=group,
        old=("-n", "--n", *old),
    )  # fmt: skip


def out_option(
    help_text: str, *, old: Sequence[str] = (), group: str = "", required: bool = False
) -> Callable[[F], F]:
    """A file to write, as all commands spell it: -o and --out. old: spellings of before."""
    return click.option(
        "-o", "--out", "out", cls=SpelledOption, type=click.Path(path_type=Path, dir_okay=False),
        required=required, metavar="FILE", help=help_text, group=group, old=old,
    )  # fmt: skip


def grouped(group: str, *names: str, **more: Any) -> Callable[[F], F]:
    """An option in a group of the help; otherwise as `click.option`."""
    return click.option(*names, cls=SpelledOption, group=group, **more)


def check_out(out: Path | None, endings: Sequence[str], what: str) -> None:
    """Raise UsageError for a file that could not be written, before anything else is done."""
    if out is None:
        return
    if out.suffix.lower() not in endings:
        raise UsageError(f"{out} is no {what}: give it the ending {', '.join(endings)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out is {out}: there is no folder {out.absolute().parent}")


def complete_ref(context: click.Context, parameter: click.Parameter, typed: str) -> Any:
    """Titles and files, for shells."""
    from mess_plugin.cli import completion  # noqa: PLC0415  only on a key press

    return completion.complete_ref(context, parameter, typed)


def complete_encoder(context: click.Context, parameter: click.Parameter, typed: str) -> Any:
    """Names of encoders, for shells."""
    from mess_plugin.cli import completion  # noqa: PLC0415  as above

    return completion.complete_encoder(context, parameter, typed)
