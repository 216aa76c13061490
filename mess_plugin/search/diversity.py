"""Varied answers: no duplicates, at most n per artist and album, and maximal marginal relevance.

J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
producing summaries", SIGIR 1998.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from mess_plugin.folding import fold
from mess_plugin.model import Float32, Track
from mess_plugin.store import Store


def choose(
    scores: Float32,
    tracks: Sequence[Track],
    k: int,
    *,
    diversity: float,
    likeness: Callable[[int], Float32],
    per_artist: int | None = None,
    per_album: int | None = None,
) -> list[int]:
    """Places of at most k candidates in the order of choice.

    Each next one has the highest (1 - diversity) * score - diversity * (likeness to the most alike
    of those chosen). likeness(place): its likeness to all candidates, (n,). Ties go by place.
    Tracks without an artist (or album) tag are under no limit of artists (or albums).
    """
    worth = (1 - diversity) * scores.astype(np.float64)
    nearest = np.zeros(len(scores))
    open_ = np.ones(len(scores), dtype=bool)
    artists: Counter[str] = Counter()
    albums: Counter[tuple[str, str]] = Counter()
    chosen: list[int] = []
    while len(chosen) < k and open_.any():
        best = int(np.argmax(np.where(open_, worth - diversity * nearest, -np.inf)))
        open_[best] = False
        artist, album = artist_key(tracks[best]), album_key(tracks[best])
        if per_artist and artist and artists[artist] >= per_artist:
            continue
        if per_album and album[1] and albums[album] >= per_album:
            continue
        artists[artist] += 1
        albums[album] += 1
        chosen.append(best)
        if diversity:
            nearest = np.maximum(nearest, likeness(best))
    return chosen


def linked(store: Store, seeds: Sequence[int], track_ids: Sequence[int]) -> frozenset[int]:
    """Which of the answers, best first, are linked to a seed or to a better answer that stays."""
    partners: dict[int, set[int]] = {}
    for one, other in store.duplicates.among([*seeds, *track_ids]):
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    kept, left_out = set(seeds), set()
    for track_id in track_ids:
        if partners.get(track_id, set()) & kept:
            left_out.add(track_id)
        else:
            kept.add(track_id)
    return frozenset(left_out)


def artist_key(track: Track) -> str:
    """The artist as names are compared; "" where no tag names one."""
    return fold(track.tags.artist or track.tags.album_artist or "")


def album_key(track: Track) -> tuple[str, str]:
    """Owner and name of the album as names are compared: albums of two artists may share a name."""
    owner = track.tags.album_artist or track.tags.artist or ""
    return fold(owner), fold(track.tags.album or "")
