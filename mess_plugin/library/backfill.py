"""Hearing the facets of tracks that lack them, without encoding anything again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mess_plugin.errors import AudioError
from mess_plugin.facets.extract import hear_facets
from mess_plugin.store import Store


def refresh(store: Store, limit_s: float | None) -> Iterator[tuple[str, bool | AudioError]]:
    """Hear each track without facets of this revision; yields (path, outcome).

    Outcome: True where facets were written, False where too little sounds for them, or why the file
    cannot be heard. Each track is one transaction, so it may be stopped anywhere.
    """
    for track_id, path in store.facets.missing():
        try:
            heard = hear_facets(Path(path), limit_s)
        except AudioError as error:
            yield path, error
            continue
        if heard is not None:
            with store.transaction():
                store.facets.write(track_id, heard)
        yield path, heard is not None
