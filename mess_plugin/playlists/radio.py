"""An endless playlist that takes the listener's feedback into account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Literal, get_args

import msgspec
import numpy as np

from mess_plugin.config import Settings
from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.folding import fold
from mess_plugin.model import Float32, Space, Track
from mess_plugin.options import HIDE
from mess_plugin.playlists.generate import Playlist, check
from mess_plugin.playlists.paths import Songs, middle
from mess_plugin.playlists.transitions import transitions
from mess_plugin.search import Query, search
from mess_plugin.search.candidates import QueryFeatures, load_candidates, query_features
from mess_plugin.search.engine import answering_space
from mess_plugin.search.feedback import evidence_of
from mess_plugin.search.filters import allowed_ids
from mess_plugin.search.never import never_suggested
from mess_plugin.search.query import FEEL
from mess_plugin.search.references import Ref
from mess_plugin.store import Store

Anchor = Literal["seed", "vibe"]

_DRIFT = {"seed": 0.3, "vibe": 0.7}  # of each choice towards the track before it
_LIKED, _REJECTED = 0.6, -0.5  # value of evidence from which a track attracts, or is excluded
_AWAY = 0.15  # of the target away from what was rejected
_MOST_DRAWN = 40  # nearest tracks that an adventurous choice is drawn from
_POOLS = (60, 300)  # nearest tracks among which artists are mixed, at first and at most
_FIRST = 60  # answers to the seeds among which the first track is chosen


class RadioStyle(msgspec.Struct, frozen=True):
    """How a radio chooses. Raises UsageError and UnknownName for what cannot be."""

    strictness: float = 0.5
    """1: always the nearest track; 0: drawn from the 40 nearest; 0.5: from 11."""
    anchor: Anchor = "seed"
    """ "seed": stays near the references; "vibe": follows the track before."""

    def __post_init__(self) -> None:
        if not 0 <= self.strictness <= 1:
            raise UsageError(f"strictness is {self.strictness:g}: wanted 0 to 1")
        if self.anchor not in _DRIFT:
            raise UnknownName("anchor", self.anchor, get_args(Anchor))

    @property
    def n_drawn(self) -> int:
        """How many of the nearest tracks a choice is drawn from."""
        return round(1 + (_MOST_DRAWN - 1) * (1 - self.strictness) ** 2)


def radio(
    store: Store,
    settings: Settings,
    refs: Sequence[Ref],
    query: Query,
    *,
    seed: int = 0,
    played: Sequence[int] = (),
    style: RadioStyle | None = None,
) -> Iterator[Track]:
    """Endless tracks: each similar to the references and to the one before it, none twice.

    It begins with an answer to the references. Artists and albums are mixed; where too few others are
    left, they follow each other more closely rather than not at all. With `query.listener`, likes
    attract the choice, dislikes and skips push it away and never play, also those given while it plays;
    duplicates of played tracks are excluded unless they are shown. played: ids of the tracks so far, in
    order; the list continues as if it had never stopped. Ends when no track is left.
    """
    made = _Radio(store, settings, refs, query, seed, style or RadioStyle())
    for track_id in made.ids(played):
        yield store.library.get([track_id])[track_id]


def first_of_radio(
    store: Store,
    settings: Settings,
    refs: Sequence[Ref],
    query: Query,
    *,
    n: int = 25,
    seed: int | None = None,
    played: Sequence[int] = (),
    style: RadioStyle | None = None,
) -> Playlist:
    """The next n tracks of `radio`, fewer where the library is used up; the notes say what gave way.

    seed: None for another list each day.
    """
    seed = datetime.now().astimezone().toordinal() if seed is None else seed
    check(n, seed)
    made = _Radio(store, settings, refs, query, seed, style or RadioStyle())
    ids = list(islice(made.ids(played), n))
    tracks = store.library.get(ids)
    there = [i for i in ids if i in tracks]
    if len(ids) < n:
        made.notes.append(f"no track is left after {len(ids)}")
    if not there:
        return Playlist((), (), (), tuple(made.notes))
    songs = load_candidates(store, made.space, there, (FEEL,))
    rows = {track_id: row for row, track_id in enumerate(songs.track_ids)}
    likeness = np.clip(songs.vectors[FEEL] @ made.home, 0, 1)
    fits = tuple(float(likeness[rows[i]]) if i in rows else 0.0 for i in there)
    between = transitions(store, made.space, there)
    return Playlist(
        tuple(tracks[i] for i in there),
        fits,
        tuple(between.along(range(len(there)))),
        tuple(made.notes),
    )


Key = tuple[str, str]  # artist, and album of that artist; empty where there is no tag


@dataclass(slots=True)
class _Radio:
    """One radio: what it starts from, and what gave way."""

    store: Store
    settings: Settings
    refs: Sequence[Ref]
    query: Query
    seed: int
    style: RadioStyle
    notes: list[str] = field(default_factory=list)
    space: Space = field(init=False)
    seeds: list[QueryFeatures] = field(init=False)
    home: Float32 = field(init=False)
    _keys: dict[int, Key] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.query.heeded_by("radio", "listener", "duplicates")
        self.space = answering_space(self.store, self.settings)
        self.seeds = [
            query_features(self.store, self.settings, self.space, ref, (FEEL,)) for ref in self.refs
        ]
        if not self.seeds:
            raise UsageError("radio needs a track to start from: give a reference")
        self.home = middle([one.vectors[FEEL] for one in self.seeds])

    def ids(self, played: Sequence[int]) -> Iterator[int]:
        """The tracks, by id."""
        own = [i for one in self.seeds for i in one.seed.excluded]
        allowed = allowed_ids(self.store, self.query.filters, self.seeds[0])
        songs = Songs(self.store, self.settings, self.space, allowed)
        heard = list(played)
        here = _feel(self.store, self.space, heard[-1]) if heard else self.home
        drift = _DRIFT[self.style.anchor]
        while True:
            liked, rejected = _said(self.store, self.query.listener)
            hide = self.query.duplicates == HIDE
            copies = self.store.duplicates.partners([*own, *heard]) if hide else ()
            never = never_suggested(self.store, self.query.listener)
            excluded = sorted({*own, *heard, *rejected, *copies, *never})
            target = self._target(liked, rejected, here, drift)
            if not heard:
                pool = [i for i in self._answers() if i not in set(excluded)]
                pool += songs.nearest(target, sorted({*excluded, *pool}), _POOLS[0])
            else:
                pool = songs.nearest(target, excluded, _POOLS[0])
            if not pool:
                return
            ids = self._mixed(pool, own, heard)
            if not ids:
                more = songs.nearest(target, excluded, _POOLS[1])
                ids = self._mixed(more, own, heard) or self._closer(more, own, heard)
            ids = ids[: self.style.n_drawn]
            weights = 1 / (1 + np.arange(len(ids)))
            # One generator a place, so that a list that is taken up again goes on as it would have.
            rng = np.random.default_rng([self.seed, len(heard)])
            chosen = ids[int(rng.choice(len(weights), p=weights / weights.sum()))]
            heard.append(chosen)
            here = _feel(self.store, self.space, chosen)
            yield chosen

    def _target(
        self, liked: Sequence[int], rejected: Sequence[int], here: Float32, drift: float
    ) -> Float32:
        aim = middle([self.home, *self._songs(liked)]) if liked else self.home
        parts = [aim * (1 - drift), here * drift]
        if rejected and len(away := self._songs(rejected)):
            parts.append(middle(list(away)) * -_AWAY)
        return middle(parts)

    def _songs(self, track_ids: Sequence[int]) -> Float32:
        songs = load_candidates(self.store, self.space, track_ids, (FEEL,)).vectors[FEEL]
        return songs if len(songs) else np.zeros((0, len(self.home)), np.float32)

    def _answers(self) -> list[int]:
        """What the search answers to the seeds, reranked."""
        plain = Query(filters=self.query.filters, duplicates=self.query.duplicates)
        seeds = [one.seed for one in self.seeds]
        found = search(
            self.store, self.settings, seeds, plain, k=_FIRST, space=self.space, explain=False
        )
        return [match.track.id for match in found.matches]

    def _mixed(self, pool: Sequence[int], own: Sequence[int], heard: Sequence[int]) -> list[int]:
        """Those whose artist is not among the last three, nor album among the last eight."""
        return self._apart(pool, own, heard, artists=3, albums=8)

    def _closer(self, pool: Sequence[int], own: Sequence[int], heard: Sequence[int]) -> list[int]:
        """Where that leaves none: whose album is not the last one; else all. Notes it once."""
        note = f"from track {len(heard) + 1} on artists repeat sooner: too few others fit"
        if not any(one.endswith("too few others fit") for one in self.notes):
            self.notes.append(note)
        return self._apart(pool, own, heard, artists=0, albums=1) or list(pool)

    def _apart(
        self,
        pool: Sequence[int],
        own: Sequence[int],
        heard: Sequence[int],
        *,
        artists: int,
        albums: int,
    ) -> list[int]:
        before = [*own, *heard]
        self._read([*pool, *before[-8:]])
        recent = [self._keys[i] for i in before[-8:] if i in self._keys]
        late_artists = {artist for artist, _ in recent[-artists:] if artist} if artists else set()
        late_albums = {key for key in recent[-albums:] if key[1]}
        return [
            i
            for i in pool
            if i in self._keys
            and self._keys[i][0] not in late_artists
            and self._keys[i] not in late_albums
        ]

    def _read(self, track_ids: Sequence[int]) -> None:
        new = [i for i in dict.fromkeys(track_ids) if i not in self._keys]
        for track_id, track in self.store.library.get(new).items() if new else ():
            tags = track.tags
            owner = tags.artist or tags.album_artist or ""
            self._keys[track_id] = fold(owner), fold(tags.album or "")


def _feel(store: Store, space: Space, track_id: int) -> Float32:
    songs = load_candidates(store, space, [track_id], (FEEL,)).vectors[FEEL]
    if not len(songs):
        raise UsageError(f"there is no track {track_id} in the library, which was played last")
    return np.asarray(songs[0], dtype=np.float32)


def _said(store: Store, listener: str | None) -> tuple[list[int], list[int]]:
    """Tracks that were clearly liked, and tracks that were disliked or skipped; plays are not clear."""
    found = evidence_of(store, listener) if listener else ()
    liked = [one.track_id for one in found if one.worth >= _LIKED]
    return liked, [one.track_id for one in found if one.worth <= _REJECTED]
