"""Which tracks are looked at, and their vectors in every aspect that counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from msgspec.structs import replace

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.facets import Facet, Measures
from mess_plugin.model import Float32, Level, Space
from mess_plugin.search.nearest import nearest
from mess_plugin.search.query import FEEL
from mess_plugin.search.references import Ref
from mess_plugin.search.rerank import Profile, ViewWeights, profile
from mess_plugin.search.seeds import Seed, resolve
from mess_plugin.store import Store


class Compared(Protocol):
    """One recording that others are compared with."""

    @property
    def vectors(self) -> Mapping[str, Float32]:
        """Aspect → (dim,)."""
        ...

    def profile(self, views: ViewWeights) -> Profile:
        """What the views of the feel take."""
        ...


class QueryFeatures(msgspec.Struct, frozen=True):
    """A seed with its vector in each aspect. measures: None where it was heard too little."""

    seed: Seed
    vectors: dict[str, Float32]
    measures: Measures | None

    def profile(self, views: ViewWeights) -> Profile:
        """What the views of the feel take."""
        return profile(self.vectors[FEEL], self.seed.levels[views.parts])


class CandidateFeatures(msgspec.Struct, frozen=True):
    """One candidate, as what others are compared with."""

    vectors: dict[str, Float32]
    known: Profile | None

    def profile(self, views: ViewWeights) -> Profile:  # noqa: ARG002  by the views it was made for
        """What the views of the feel take; only of candidates with profiles."""
        assert self.known is not None
        return self.known


class CandidateSet(msgspec.Struct, frozen=True):
    """Candidates with their vectors: track_ids n; vectors: aspect → (n, dim) float32.

    profiles: n for a closer look at the feel (`mess_plugin.search.rerank`); none before `closer`.
    """

    track_ids: tuple[int, ...]
    vectors: dict[str, Float32]
    profiles: tuple[Profile, ...] = ()

    def features(self, row: int) -> CandidateFeatures:
        """One of them."""
        vectors = {aspect: vectors[row] for aspect, vectors in self.vectors.items()}
        return CandidateFeatures(vectors, self.profiles[row] if self.profiles else None)

    def at(self, rows: Sequence[int]) -> CandidateSet:
        """Some of the candidates, in this order."""
        return CandidateSet(
            tuple(self.track_ids[row] for row in rows),
            {aspect: vectors[list(rows)] for aspect, vectors in self.vectors.items()},
            tuple(self.profiles[row] for row in rows) if self.profiles else (),
        )


def query_features(
    store: Store, settings: Settings, space: Space, ref: Ref, aspects: Collection[str]
) -> QueryFeatures:
    """The seed that a reference names. Raises UsageError where it lacks an aspect that counts."""
    return features_of(store, resolve(store, settings, space, ref), aspects)


def features_of(store: Store, seed: Seed, aspects: Collection[str] = (FEEL,)) -> QueryFeatures:
    """A seed with its vectors: in the feel, and in all facets that were heard in it.

    Raises UsageError where it lacks an aspect of `aspects`.
    """
    if seed.track is not None:
        several = store.facets.several(Facet, [seed.track.id])
        measured = store.facets.measures([seed.track.id])
        measures = measured[seed.track.id][0] if measured else None
        facets = {facet.value: one[seed.track.id] for facet, one in several.items() if one}
    else:
        measures = seed.heard.measures if seed.heard else None
        facets = {f.value: vector for f, vector in seed.heard.vectors.items()} if seed.heard else {}
    if {aspect for aspect in aspects if aspect != FEEL} - facets.keys():
        if seed.track is None:
            raise UsageError(f"too little sounds in {seed.name} to hear its facets")
        raise UsageError(
            f"{seed.name} has no facets yet: run `mess facets`, which hears what lacks them"
        )
    return QueryFeatures(seed, {FEEL: seed.levels[Level.SONG].vectors[0], **facets}, measures)


def gather_candidates(
    store: Store,
    settings: Settings,
    space: Space,
    seeds: Sequence[QueryFeatures],
    aspects: Collection[str],
    limit: int,
    *,
    excluded: Sequence[int],
    allowed: Sequence[int] | None,
    also: Sequence[int] = (),
) -> CandidateSet:
    """The tracks nearest to any seed in any aspect, at most `limit` each, with all their vectors.

    also: tracks that are looked at wherever they lie. Tracks that lack an aspect are left out: their
    score could not be compared.
    """
    found: dict[int, None] = {}
    for one in seeds:
        for aspect in aspects:
            vector = one.vectors[aspect]
            if aspect != FEEL:
                ids = store.facets.nearest(
                    Facet(aspect), vector, limit, excluded=excluded, allowed=allowed
                )
            else:
                hits = nearest(store, settings, space, Level.SONG, vector, limit, excluded, allowed)
                ids = [hit.track_id for hit in hits]
            found |= dict.fromkeys(ids)
    barred = set(excluded)
    passed = None if allowed is None else set(allowed)
    found |= dict.fromkeys(i for i in also if i not in barred and (passed is None or i in passed))
    return load_candidates(store, space, list(found), aspects)


def load_candidates(
    store: Store, space: Space, track_ids: Sequence[int], aspects: Collection[str]
) -> CandidateSet:
    """The vectors of tracks in some aspects; tracks that lack one are left out."""
    by_aspect: dict[str, dict[int, Float32]] = {}
    for aspect in aspects:
        if aspect == FEEL:
            songs = store.embeddings.of_tracks(space, Level.SONG, track_ids)
            by_aspect[FEEL] = {
                i: level.vectors[0] for i, level in songs.items() if len(level.vectors)
            }
        else:
            by_aspect[aspect] = store.facets.of_tracks(Facet(aspect), track_ids)
    complete = [i for i in track_ids if all(i in vectors for vectors in by_aspect.values())]
    return CandidateSet(
        tuple(complete),
        {
            aspect: np.stack([vectors[i] for i in complete])
            if complete
            else np.zeros((0, 1), np.float32)
            for aspect, vectors in by_aspect.items()
        },
    )


def with_profiles(
    store: Store, space: Space, found: CandidateSet, views: ViewWeights
) -> CandidateSet:
    """The same candidates with what the views of the feel take.

    What was forgotten meanwhile has no parts; what no facet was heard in has zeros there.
    """
    ids = found.track_ids
    levels = store.embeddings.of_tracks(space, views.parts, ids)
    songs = found.vectors[FEEL]
    profiles = [profile(song, levels[i]) for song, i in zip(songs, ids, strict=True)]
    looked = CandidateSet(ids, found.vectors, tuple(profiles))
    return with_facets(store, looked, Facet) if views.facets else looked


def with_facets(store: Store, found: CandidateSet, facets: Iterable[Facet]) -> CandidateSet:
    """The same candidates with some facets, zeros where nothing of one was heard."""
    vectors = dict(found.vectors)
    for facet, heard in store.facets.several(facets, found.track_ids).items():
        if heard:
            nothing = np.zeros_like(next(iter(heard.values())))
            vectors[facet.value] = np.stack([heard.get(i, nothing) for i in found.track_ids])
    return replace(found, vectors=vectors)


def candidates_of(seeds: Sequence[QueryFeatures], views: ViewWeights) -> CandidateSet:
    """Voices as candidates, numbered from 0; zeros where one lacks a facet that another has."""
    profiles = tuple(one.profile(views) for one in seeds)
    blank = {a: np.zeros_like(vector) for v in seeds for a, vector in v.vectors.items()}
    vectors = {a: np.stack([v.vectors.get(a, zeros) for v in seeds]) for a, zeros in blank.items()}
    return CandidateSet(tuple(range(len(seeds))), vectors, profiles)
