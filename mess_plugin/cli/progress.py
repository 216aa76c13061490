"""A bar that shows how far a command is, and how long it still takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mess_plugin.cli.output import say
from mess_plugin.logs import printable


class ProgressBar:
    """Steps of known length on a terminal; elsewhere only what begins, in lines."""

    def __init__(self, bar: Progress | None, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def begin(self, what: str) -> None:
        """Say what begins."""
        if self._bar is None:
            say(what)
        else:
            self._bar.update(self._task, description=printable(what))

    def note(self, text: str) -> None:
        """Say something worth keeping."""
        if self._bar is None:
            say(text)
        else:
            self._bar.console.print(printable(text), markup=False, highlight=False)

    def advance(self, expected_s: float) -> None:
        """A step is done that was expected to take so long."""
        if self._bar is not None:
            self._bar.advance(self._task, expected_s)


@contextmanager
def progress_bar(total_s: float) -> Iterator[ProgressBar]:
    """A bar on standard error for what is expected to take so long in all."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield ProgressBar(None, TaskID(0))
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("left,"),
        TimeElapsedColumn(),
        TextColumn("so far"),
    )
    with Progress(*columns, console=console, speed_estimate_period=60, transient=True) as bar:
        yield ProgressBar(bar, bar.add_task("", total=max(total_s, 1e-6)))
