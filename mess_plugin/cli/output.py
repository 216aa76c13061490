"""What commands print: tables and messages for people, one JSON document for programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from typing import Any, TypeVar

import click

from mess_plugin.logs import one_line, printable

F = TypeVar("F", bound=Callable[..., Any])
_GAP = 2  # between two columns of a table
_NARROWEST = 6  # no column is folded to less

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document to standard output."
)


def encoder_option(function: F) -> F:
    """The option --encoder."""
    return click.option("--encoder", metavar="NAME", help="Instead of the one in the settings.")(
        function
    )


def print_json(document: object) -> None:
    """One JSON document on standard output, and nothing else."""
    click.echo(json.dumps(document, ensure_ascii=True, indent=2, allow_nan=False))


def say(text: str) -> None:
    """A message for people, on standard error."""
    click.echo(printable(text), err=True)


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
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = ""
) -> None:
    """A table on standard output; columns that start with "#" are aligned to the right.

    On a terminal the widest columns are folded until it fits; elsewhere a row is always one line.
    """
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
    text = "\n".join(line.rstrip() for line in table.get_string().splitlines())
    click.echo(f"{printable(title)}\n{text}" if title else text)


def _cap(rows: Sequence[Sequence[str]], room: int) -> int:
    """The widest that a column may be, in places of the terminal, for all to fit into the room."""
    from wcwidth import wcswidth  # noqa: PLC0415

    widths = [max(map(wcswidth, column)) for column in zip(*rows, strict=True)]
    cap = max(widths)
    while cap > _NARROWEST and sum(min(width, cap) + _GAP for width in widths) > room:
        cap -= 1
    return cap
