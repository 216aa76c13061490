"""Answering what other programs said about files: a look at each, once it lies still."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from msgspec.structs import replace

from mess_plugin.config import Settings
from mess_plugin.library.reconcile import BATCH_FILES, Notice, Request, reconcile
from mess_plugin.library.walk import is_below, watched_roots
from mess_plugin.store import Store
from mess_plugin.store.inbox import Event
from mess_workers.watch.debounce import open_for_writing

log = logging.getLogger(__name__)


def answer_events(store: Store, settings: Settings) -> int:
    """Deal with the messages about files that wait. Returns how many were dealt with.

    All about one root are answered together, so that many deletions told one by one are not taken
    for many small ones.
    """
    with store.transaction():
        events = store.inbox.take("files", BATCH_FILES)
        written = open_for_writing({_path(event) for event in events})
        by_root: dict[str, list[Event]] = {}
        for event in events:
            root = _root(event, settings)
            if root is None:
                store.inbox.handled(event, "not watched any more")
            elif _path(event) in written:
                store.inbox.postpone(event, settings.settle_s)
            else:
                by_root.setdefault(root, []).append(event)
        for root, about_it in by_root.items():
            _answer(store, settings, root, about_it)
    return len(events)


def _root(event: Event, settings: Settings) -> str | None:
    roots = watched_roots(settings.watch)
    return next((root for root in roots if is_below(_path(event), root)), None)


def _answer(store: Store, settings: Settings, root: str, events: Sequence[Event]) -> None:
    request = replace(Request.of(store, settings), settle_s=settings.settle_s)
    found = reconcile(store, {_path(one): Notice(one.received_at) for one in events}, root, request)
    if found.pruned.refused:
        log.warning("%s: %s", root, found.pruned.refused)
    outcome = f"{len(found.job_ids)} wanted, {found.pruned.gone} gone"
    for event in events:
        if any(is_below(file.path, _path(event)) for file in found.unsettled):
            store.inbox.postpone(event, settings.settle_s)
        else:
            store.inbox.handled(event, outcome)


def _path(event: Event) -> str:
    return os.fsdecode(bytes.fromhex(event.body["path"]))
