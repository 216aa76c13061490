"""Answering what other programs said about files: a look at each, once it lies still."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from mess_plugin.audio import is_audio
from mess_plugin.config import Settings
from mess_plugin.library.pruning import is_gone, prune_some
from mess_plugin.library.walk import Walk, is_below, watched_roots
from mess_plugin.spaces.active_encoder import active_recipe
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile
from mess_plugin.store.inbox import Event
from mess_workers.watch.writers import being_written

log = logging.getLogger(__name__)

_AT_ONCE = 500


def answer_events(store: Store, settings: Settings) -> int:
    """Deal with the messages about files that wait. Returns how many were dealt with."""
    with store.transaction():
        events = store.inbox.take("files", _AT_ONCE)
        written = being_written({_path(event) for event in events})
        for event in events:
            if _path(event) in written:
                store.inbox.postpone(event, settings.settle_s)
            else:
                _answer(store, settings, event)
    return len(events)


def _answer(store: Store, settings: Settings, event: Event) -> None:
    """What is done follows from what is there now, whatever the message said happened to it."""
    path = _path(event)
    roots = [root for root in watched_roots(settings.watch) if is_below(path, root)]
    if not roots:
        store.inbox.handled(event, "not watched any more")
        return
    found = [_noticed(file, event.received_at) for file in _music_at(path, roots[0])]
    if any(_is_young(file, settings.settle_s) for file in found):
        store.inbox.postpone(event, settings.settle_s)
        return
    recipe = active_recipe(store, settings)
    wanted = len(store.jobs.enqueue(found, recipe).job_ids) if found else 0
    pruned = prune_some(store, roots[0], _known_at(store, path))
    if pruned.refused:
        log.warning("%s: %s", roots[0], pruned.refused)
    store.inbox.handled(event, f"{wanted} wanted, {pruned.gone} gone")


def _music_at(path: str, root: str) -> Iterable[SeenFile]:
    """What a walk of the root would see at or below a path."""
    inside = path.removeprefix(root.rstrip("/") + "/").split("/")
    hidden = path != root and any(part.startswith(".") for part in inside)
    if hidden or not (os.path.isdir(path) or is_audio(Path(path))):  # noqa: PTH112
        return []
    return Walk([path])


def _known_at(store: Store, path: str) -> Iterable[str]:
    """Known files at or below a path that may have vanished."""
    if not is_gone(path) and not os.path.isdir(path):  # noqa: PTH112
        return []
    return store.files.known_among([path]) or store.files.known_paths([path], with_missed=False)


def _path(event: Event) -> str:
    return os.fsdecode(bytes.fromhex(event.body["path"]))


def _noticed(file: SeenFile, at: datetime) -> SeenFile:
    return SeenFile(file.path, file.size_bytes, file.mtime_ns, at)


def _is_young(file: SeenFile, settle_s: float) -> bool:
    age_ns = time.time_ns() - file.mtime_ns
    return 0 <= age_ns < settle_s * 1e9
