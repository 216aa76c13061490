"""The tags of a library: what a head reads from stored song vectors, kept beside them."""

from __future__ import annotations

from functools import cache

import numpy as np
from msgspec.structs import replace

from mess_plugin.folding import fold
from mess_plugin.heads.fit import ridge
from mess_plugin.heads.head import Head, key_of, shipped_head
from mess_plugin.model import Float32, Space
from mess_plugin.store import Store
from mess_plugin.store.tags import TrackTags

_STRENGTH = 0.1  # of the penalty where a head is taken to another encoder
_LEAST_TRACKS = 100  # with vectors of both encoders, for that
_AT_ONCE = 5_000


@cache
def tag_head() -> Head:
    """The head that comes with MESS."""
    return shipped_head()


def tag_track(store: Store, space: Space, track_id: int, song: Float32) -> None:
    """Keep the tags of a track that was just encoded; song: (dim,) of unit length.

    Nothing happens in a space whose head is not known yet: `ensure_tags` makes one.
    """
    head = _head_of(store, space)
    if head is not None:
        _save(store, head, [track_id], song[None])


def ensure_tags(store: Store, space: Space) -> bool:
    """Let every track of a space have its tags; False where its encoder has no head yet.

    The first call for a space and a version of the head reads all song vectors once; later ones cost
    one look. A space without a head of its own gets one distilled from the tags that its tracks have
    already, by the vectors of an encoder before; that takes _LEAST_TRACKS of them.
    """
    head = _head_of(store, space) or _distil(store, space)
    if head is None:
        return False
    if not store.tags.is_filled(space, head.version):
        ids = store.tags.missing(space, head.version)
        for start in range(0, len(ids), _AT_ONCE):
            some, songs = store.filters.songs(space, ids[start : start + _AT_ONCE])
            _save(store, head, some.tolist(), songs)
        store.tags.note_filled(space, head.version)
    return True


def likeliest(tags: TrackTags, n: int | None = None) -> list[tuple[str, float]]:
    """The n likeliest tags of a track with their probabilities, all of them for None."""
    head = tag_head()
    probable = head.probable(tags.raw[None])[0]
    order = np.argsort(-probable, kind="stable")[:n]
    return [(head.labels[i], float(probable[i])) for i in order.tolist()]


def _head_of(store: Store, space: Space) -> Head | None:
    shipped = tag_head()
    if key_of(space) == shipped.space:
        return shipped
    found = store.tags.distilled(space, shipped.version)
    if found is None:
        return None
    mean, matrix, offset = found
    return replace(shipped, space=key_of(space), mean=mean, matrix=matrix, offset=offset)


def _distil(store: Store, space: Space) -> Head | None:
    """A head for another encoder's vectors, fitted to what was read of the same tracks before."""
    version = tag_head().version
    ids, raw = store.tags.raw(version)
    known, songs = store.filters.songs(space, ids)
    if len(known) < _LEAST_TRACKS:
        return None
    rows = np.searchsorted(np.array(ids), known)
    fitted = ridge(songs, raw[rows], _STRENGTH)
    store.tags.save_distilled(space, version, fitted.mean, fitted.matrix, fitted.offset)
    return _head_of(store, space)


def _save(store: Store, head: Head, track_ids: list[int], songs: Float32) -> None:
    raw = head.raw(songs)
    rows = zip(track_ids, head.probable(raw), raw, strict=True)
    store.tags.save(
        head.version,
        [
            (track_id, [fold(tag) for tag in head.said(row)], values)
            for track_id, row, values in rows
        ],
    )
