"""MESS as beets uses it: started where need be, with its store open; and how far it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mess_integrations.beets.delivery import is_up
from mess_plugin.config import Settings
from mess_plugin.library import reconcile, spool
from mess_plugin.library.pathmap import linked_paths
from mess_plugin.library.reconcile import Request
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.store import Store, open_store


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Settings, Store]]:
    """The settings while connected, and the store; starts the embedded servers if need be.

    Spooled changes are taken into the ledger first.
    Raises MessError or OSError.
    """
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        asked = resolve_settings(store, ready)
        for found in reconcile.drain(settings.home, store, Request.of(store, asked)):
            if found.pruned.refused:
                _warn(
                    f"removed files stay in the library: {found.pruned.refused} If they are really "
                    "gone, run `mess index --prune` on the music folder"
                )
        yield asked, store


def describe_status(settings: Settings, folder: str, paths: Sequence[str]) -> list[str]:
    """A few lines about the files of a music folder: indexed, waiting, failed, unknown.

    Raises MessError.
    """
    n_waiting = spool.count(settings.home)
    up = is_up(settings)
    with opened(settings) as (_, store):
        names = linked_paths(store, folder)
        known = [names.library(path) for path in paths]
        indexed, failed, unknown = store.files.count_paths(known)
    lines = [f"{indexed} of {len(paths)} tracks indexed with MESS at {settings.home}"]
    in_work = len(paths) - indexed - failed - unknown
    if in_work:
        lines.append(f"{in_work} waiting to be heard")
    if failed:
        lines.append(f"{failed} could not be indexed: see `mess failures`")
    if unknown:
        lines.append(f"{unknown} unknown to MESS: run `beet mess index`")
    if n_waiting:
        lines.append(f"{n_waiting} change{'s' * (n_waiting != 1)} waited until now")
    if not up:
        lines.append(
            "MESS is not up: changes wait until it is asked something (`mess up` keeps it)"
        )
    return lines


def _warn(text: str) -> None:
    """Say something in the way of beets' plugins, whose loggers take messages for format strings."""
    logging.getLogger("beets.mess").warning(text.replace("{", "{{").replace("}", "}}"))
