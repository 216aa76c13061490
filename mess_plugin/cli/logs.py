"""`mess logs`: what the services have logged, and what they log from now on."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from mess_plugin.cli.shared_options import k_option
from mess_plugin.config import load_settings
from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.logs import printable

_EVERY_S = 0.5


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE…]")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged, until Ctrl-C.")
@k_option(20, "Lines of each, at first.", old=("--lines",))
def logs(services: tuple[str, ...], follow: bool, k: int) -> None:
    """Show the logs of the services, or of some: postgres, http, worker …"""
    folder = load_settings().home / "log"
    there = {path.stem: path for path in sorted(folder.glob("*.log"))}
    for name in services:
        if name not in there:
            raise UnknownName("service with a log", name, there)
    wanted = {name: there[name] for name in services or there}
    if not wanted:
        raise UsageError(f"there are no logs in {folder} yet")
    width = max(map(len, wanted))
    for name, path in wanted.items():
        for line in _last(path, k):
            _show(name, line, width, len(wanted) > 1)
    if follow:
        _follow(wanted, width)


def _show(name: str, line: bytes, width: int, is_one_of_many: bool) -> None:
    text = printable(line.decode("utf-8", "replace").rstrip("\n"))
    click.echo(f"{name:<{width}}  {text}" if is_one_of_many else text)


def _last(path: Path, n: int) -> list[bytes]:
    with path.open("rb") as file:
        return list(deque(file, maxlen=max(0, n)))


def _follow(wanted: dict[str, Path], width: int) -> None:
    """Show what is added; a log that was put aside for a new one is read on from its beginning."""
    tails = {name: _tail(path) for name, path in wanted.items()}
    while True:
        for name, tail in tails.items():
            for line in next(tail):
                _show(name, line, width, len(wanted) > 1)
        time.sleep(_EVERY_S)


def _tail(path: Path) -> Iterator[list[bytes]]:
    file: BinaryIO = path.open("rb")
    file.seek(0, os.SEEK_END)
    while True:
        found = file.readlines()
        try:
            if path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                found += file.readlines()
                file.close()
                file = path.open("rb")
                found += file.readlines()
        except FileNotFoundError:
            pass  # between the two
        yield found
