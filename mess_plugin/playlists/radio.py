"""An endless playlist that takes the listener's feedback into account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.model import Float32, Space, Track
from mess_plugin.options import HIDE
from mess_plugin.playlists.generate import Playlist, check
from mess_plugin.playlists.paths import Songs, middle
from mess_plugin.search.candidates import load_candidates, query_features
from mess_plugin.search.engine import answering_space
from mess_plugin.search.feedback import evidence_of
from mess_plugin.search.filters import allowed_ids
from mess_plugin.search.query import FEEL, Query
from mess_plugin.search.references import Ref
from mess_plugin.store import Store

_DRIFT = 0.3  # of each choice towards the track before it
_CLEAR = 0.6  # value of evidence from which a track attracts, or is excluded
_DRAWN_FROM = 10  # nearest tracks, nearer ones more often


def radio(
    store: Store,
    settings: Settings,
    refs: Sequence[Ref],
    query: Query,
    *,
    seed: int = 0,
    played: Sequence[int] = (),
) -> Iterator[Track]:
    """Endless tracks: each similar to the references and to the one before it, none twice.

    With `query.listener`, likes attract the choice and dislikes are excluded, also those given while it
    plays; duplicates of played tracks are excluded unless they are shown. played: ids of the tracks so
    far, in order; the list continues as if it had never stopped. Ends when no track is left.
    """
    for track_id in _ids(store, settings, refs, query, seed, played):
        yield store.library.get([track_id])[track_id]


def _ids(
    store: Store,
    settings: Settings,
    refs: Sequence[Ref],
    query: Query,
    seed: int,
    played: Sequence[int],
) -> Iterator[int]:
    """The tracks of `radio`."""
    query.heeded_by("radio", "listener", "duplicates")
    space = answering_space(store, settings)
    seeds = [query_features(store, settings, space, ref, (FEEL,)) for ref in refs]
    if not seeds:
        raise UsageError("radio needs a track to start from: give a reference")
    home = middle([one.vectors[FEEL] for one in seeds])
    own = [i for one in seeds for i in one.seed.excluded]
    songs = Songs(store, settings, space, allowed_ids(store, query.filters, seeds[0]))
    heard = list(played)
    here = _feel(store, space, heard[-1]) if heard else home
    while True:
        liked, rejected = _said(store, query.listener)
        aim = home
        if liked:
            draws = load_candidates(store, space, liked, (FEEL,)).vectors[FEEL]
            aim = middle([home, *(draws if len(draws) else [])])
        target = middle([aim * (1 - _DRIFT), here * _DRIFT])
        copies = store.duplicates.partners([*own, *heard]) if query.duplicates == HIDE else ()
        excluded = sorted({*own, *heard, *rejected, *copies})
        ids = songs.nearest(target, excluded)
        if not ids:
            return
        weights = 1 / (1 + np.arange(len(ids[:_DRAWN_FROM])))
        # One generator a place, so that a list that is taken up again goes on as it would have.
        rng = np.random.default_rng([seed, len(heard)])
        chosen = ids[int(rng.choice(len(weights), p=weights / weights.sum()))]
        heard.append(chosen)
        here = _feel(store, space, chosen)
        yield chosen


def first_of_radio(
    store: Store,
    settings: Settings,
    refs: Sequence[Ref],
    query: Query,
    *,
    n: int = 25,
    seed: int = 0,
    played: Sequence[int] = (),
) -> Playlist:
    """The next n tracks of `radio`, fewer where the library is used up."""
    check(n, seed)
    ids = list(islice(_ids(store, settings, refs, query, seed, played), n))
    tracks = store.library.get(ids)
    return Playlist(tuple(tracks[i] for i in ids if i in tracks), (), ())


def _feel(store: Store, space: Space, track_id: int) -> Float32:
    songs = load_candidates(store, space, [track_id], (FEEL,)).vectors[FEEL]
    if not len(songs):
        raise UsageError(f"there is no track {track_id} in the library, which was played last")
    return np.asarray(songs[0], dtype=np.float32)


def _said(store: Store, listener: str | None) -> tuple[list[int], list[int]]:
    """Tracks that were clearly liked, and tracks that were clearly rejected; plays are not clear."""
    found = evidence_of(store, listener) if listener else ()
    liked = [one.track_id for one in found if one.worth >= _CLEAR]
    return liked, [one.track_id for one in found if one.worth <= -_CLEAR]
