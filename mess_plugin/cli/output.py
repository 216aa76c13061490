"""What commands print: tables and messages for people; for programs JSON, or rows as CSV or TSV."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO, TextIOWrapper
from typing import Any, TypeVar

import click

from mess_plugin.errors import UsageError
from mess_plugin.logs import one_line, printable

F = TypeVar("F", bound=Callable[..., Any])
_GAP = 2  # between two columns of a table
_NARROWEST = 6  # no column is folded to less

_FORM = "mess_plugin.cli.form"  # key in the context: the option that says what is printed
_SEPARATORS = {"--csv": ",", "--tsv": "\t"}


def _choose_form(context: click.Context, option: click.Parameter, wanted: bool) -> bool:
    if wanted:
        chosen = context.meta.setdefault(_FORM, option.opts[0])
        if chosen != option.opts[0]:
            raise UsageError(f"{chosen} and {option.opts[0]} exclude each other: leave one out")
    return wanted


json_option = click.option(
    "--json", "as_json", is_flag=True, callback=_choose_form,
    help="Write one JSON document to standard output.",
)  # fmt: skip


def table_options(function: F) -> F:
    """The options --json, --csv and --tsv of a command that prints one table."""
    for name in reversed(_SEPARATORS):
        function = click.option(
            name, is_flag=True, expose_value=False, callback=_choose_form,
            help=f"Write the rows as {name.removeprefix('--').upper()} to standard output.",
        )(function)  # fmt: skip
    return json_option(function)


def separator() -> str | None:
    """What stands between the fields of a row where --csv or --tsv was given, else None."""
    context = click.get_current_context(silent=True)
    return _SEPARATORS.get(context.meta.get(_FORM, "")) if context else None


def encoder_option(function: F) -> F:
    """The option --encoder."""
    from mess_plugin.cli.shared_options import complete_encoder  # noqa: PLC0415  it imports this

    return click.option(
        "--encoder", metavar="NAME", help="Instead of the one in the settings.",
        shell_complete=complete_encoder,
    )(function)  # fmt: skip


def print_json(document: object) -> None:
    """One JSON document on standard output, and nothing else."""
    click.echo(json.dumps(document, ensure_ascii=True, indent=2, allow_nan=False))


def say(text: str, **style: Any) -> None:
    """A message for people, on standard error; styled as `click.style` where colours are wanted."""
    plain = printable(text)
    is_plain = not style or not is_coloured(sys.stderr)
    click.echo(
        plain if is_plain else click.style(plain, **style), err=True, color=not is_plain or None
    )


def escape_what_cannot_be_shown() -> None:
    """From now on, what the encoding of the terminal lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not where tests or a host capture the output
            stream.reconfigure(errors="backslashreplace")


def can_show(text: str) -> bool:
    """Whether the encoding of standard output has all these characters."""
    return _shown(text) == text


def _shown(text: str) -> str:
    """Text as standard output will show it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    records: Sequence[Mapping[str, object]] | None = None,
) -> None:
    """A table on standard output; columns that start with "#" are aligned to the right.

    On a terminal the widest columns are folded until it fits; elsewhere a row is always one line.
    records: what --csv and --tsv write instead of the rows, a dictionary (as in JSON) for each.
    """
    if (mark := separator()) is not None:
        _print_rows(columns, rows, records, mark)
        return
    from prettytable import PrettyTable  # noqa: PLC0415  only where a table is printed

    lines = [[column.lstrip("#") for column in columns]]
    lines += [[_shown(one_line(str(cell))) for cell in row] for row in rows]
    # Two columns may have one name, which a header of this library may not.
    fields = [str(number) for number in range(len(columns))]
    table = PrettyTable(fields, header=False, border=False, break_on_hyphens=False)
    table.left_padding_width, table.right_padding_width = 0, _GAP
    for field, column in zip(fields, columns, strict=True):
        table.align[field] = "r" if column.startswith("#") else "l"
    table.add_rows(lines)
    if sys.stdout.isatty():
        table.max_width = _cap(lines, shutil.get_terminal_size().columns)
    head, *rest = [line.rstrip() for line in table.get_string().splitlines()]
    if title:
        echo_styled(printable(title), bold=True)
    echo_styled(head, bold=True)
    if rest:
        click.echo("\n".join(rest))


def _print_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    records: Sequence[Mapping[str, object]] | None,
    mark: str,
) -> None:
    """One header and the rows; a later table of the same command is left out, which is said."""
    meta = click.get_current_context().meta
    if meta.setdefault(f"{_FORM}.is_printed", False):
        say(f"left out of {meta[_FORM]}: {', '.join(name.lstrip('#') for name in columns)}")
        return
    meta[f"{_FORM}.is_printed"] = True
    if records is not None:
        flat = [dict(_flat(record)) for record in records]
        names = list(dict.fromkeys(name for one in flat for name in one))
        cells = [[one.get(name, "") for name in names] for one in flat]
    else:
        names = [name.lstrip("#") or "number" for name in columns]
        cells = [list(row) for row in rows]
    text = StringIO()
    writer = csv.writer(text, delimiter=mark, lineterminator="\n")
    writer.writerows([names, *cells])
    click.echo(_shown(text.getvalue().encode("utf-8", "backslashreplace").decode()), nl=False)


def _flat(record: Mapping[str, object], under: str = "") -> Iterator[tuple[str, object]]:
    """Fields of a document as cells, those of an object in it as "object.field".

    Lists of texts are joined by ";"; other lists are left to JSON.
    """
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{under}{name}.")
        elif not isinstance(value, list | tuple):
            yield f"{under}{name}", "" if value is None else value
        elif all(isinstance(one, str) for one in value):
            yield f"{under}{name}", ";".join(value)


def echo_styled(text: str, **style: Any) -> None:
    """A line on standard output, in bold or in colour where that is wanted."""
    if is_coloured(sys.stdout):
        click.echo(click.style(text, **style), color=True)
    else:
        click.echo(text)


def is_coloured(stream: Any) -> bool:
    """Whether colours are wanted there: NO_COLOR (no-color.org), CLICOLOR_FORCE, else a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def _cap(rows: Sequence[Sequence[str]], room: int) -> int:
    """The widest that a column may be, in places of the terminal, for all to fit into the room."""
    from wcwidth import wcswidth  # noqa: PLC0415

    widths = [max(map(wcswidth, column)) for column in zip(*rows, strict=True)]
    cap = max(widths)
    while cap > _NARROWEST and sum(min(width, cap) + _GAP for width in widths) > room:
        cap -= 1
    return cap
