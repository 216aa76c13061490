"""What commands print: tables and messages for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

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


def printable(text: str) -> str:
    """Text that any terminal can show: odd bytes and control characters become escapes."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in safe)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = ""
) -> None:
    """A table on standard output; columns that start with "#" are aligned to the right."""
    from rich.console import Console  # noqa: PLC0415  only where a table is printed
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith("#")
        table.add_column(column.lstrip("#"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_escape(str(cell)) for cell in row))
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console.width = 160
    console.print(table)


def _escape(text: str) -> str:
    return printable(text).replace("\n", "\\n").replace("[", "\\[")
