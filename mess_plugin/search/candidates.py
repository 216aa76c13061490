"""Which tracks are looked at, and their vectors in every aspect that counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

import msgspec
import numpy as np
from msgspec.structs import replace

from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.facets import Facet, Measures
from mess_plugin.facets import key as keys
from mess_plugin.model import Float32, Level, Space, Tags
from mess_plugin.search.nearest import nearest
from mess_plugin.search.query import FEEL, Filters, Range
from mess_plugin.search.references import Seed, resolve
from mess_plugin.search.rerank import Profile, Weights, profile
from mess_plugin.store import Store
from mess_plugin.store.filters import Allowed, Conditions

SAME_TEMPO = 1.06  # the ratio that DJs bridge without anybody noticing
_WIDE = 1e9


class Voice(msgspec.Struct, frozen=True):
    """A seed with its vector in each aspect. measures: None where it was heard too little."""

    seed: Seed
    vectors: dict[str, Float32]
    measures: Measures | None


class Table(msgspec.Struct, frozen=True):
    """Candidates with their vectors: track_ids n; vectors: aspect → (n, dim) float32.

    profiles: n for a closer look at the feel (`mess_plugin.search.rerank`); none before `closer`.
    """

    track_ids: tuple[int, ...]
    vectors: dict[str, Float32]
    profiles: tuple[Profile, ...] = ()

    def at(self, rows: Sequence[int]) -> Table:
        """Some of the candidates, in this order."""
        return Table(
            tuple(self.track_ids[row] for row in rows),
            {aspect: vectors[list(rows)] for aspect, vectors in self.vectors.items()},
            tuple(self.profiles[row] for row in rows) if self.profiles else (),
        )


def voice(
    store: Store, settings: Settings, space: Space, ref: str, aspects: Collection[str]
) -> Voice:
    """The seed that a reference names. Raises UsageError where it lacks an aspect that counts."""
    return voice_of(store, resolve(store, settings, space, ref), aspects)


def voice_of(store: Store, seed: Seed, aspects: Collection[str] = (FEEL,)) -> Voice:
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
    return Voice(seed, {FEEL: seed.levels[Level.SONG].vectors[0], **facets}, measures)


def gather(
    store: Store,
    settings: Settings,
    space: Space,
    voices: Sequence[Voice],
    aspects: Collection[str],
    limit: int,
    *,
    excluded: Sequence[int],
    allowed: Sequence[int] | None,
    also: Sequence[int] = (),
) -> Table:
    """The tracks nearest to any seed in any aspect, at most `limit` each, with all their vectors.

    also: tracks that are looked at wherever they lie. Tracks that lack an aspect are left out: their
    score could not be compared.
    """
    found: dict[int, None] = {}
    for one in voices:
        for aspect in aspects:
            vector = one.vectors[aspect]
            if aspect != FEEL:
                ids = store.facets.nearest(
                    Facet(aspect), vector, limit, excluded=excluded, allowed=allowed
                )
            elif allowed is not None:
                ids = store.steering.nearest_songs(
                    space, vector, limit, excluded=excluded, allowed=allowed
                )
            else:
                hits = nearest(store, settings, space, Level.SONG, vector, limit, excluded)
                ids = [hit.track_id for hit in hits]
            found |= dict.fromkeys(ids)
    barred = set(excluded)
    passed = None if allowed is None else set(allowed)
    found |= dict.fromkeys(i for i in also if i not in barred and (passed is None or i in passed))
    return table(store, space, list(found), aspects)


def table(store: Store, space: Space, track_ids: Sequence[int], aspects: Collection[str]) -> Table:
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
    return Table(
        tuple(complete),
        {
            aspect: np.stack([vectors[i] for i in complete])
            if complete
            else np.zeros((0, 1), np.float32)
            for aspect, vectors in by_aspect.items()
        },
    )


def closer(store: Store, space: Space, found: Table, views: Weights) -> Table:
    """The same candidates with what the views of the feel take.

    What was forgotten meanwhile has no parts; what no facet was heard in has zeros there.
    """
    ids = found.track_ids
    levels = store.embeddings.of_tracks(space, views.parts, ids)
    songs = found.vectors[FEEL]
    profiles = [profile(song, levels[i]) for song, i in zip(songs, ids, strict=True)]
    looked = Table(ids, found.vectors, tuple(profiles))
    return with_facets(store, looked, Facet) if views.facets else looked


def with_facets(store: Store, found: Table, facets: Iterable[Facet]) -> Table:
    """The same candidates with some facets, zeros where nothing of one was heard."""
    vectors = dict(found.vectors)
    for facet, heard in store.facets.several(facets, found.track_ids).items():
        if heard:
            nothing = np.zeros_like(next(iter(heard.values())))
            vectors[facet.value] = np.stack([heard.get(i, nothing) for i in found.track_ids])
    return replace(found, vectors=vectors)


def table_of(voices: Sequence[Voice], views: Weights) -> Table:
    """Voices as candidates, numbered from 0; zeros where one lacks a facet that another has."""
    profiles = tuple(profile(v.vectors[FEEL], v.seed.levels[views.parts]) for v in voices)
    blank = {a: np.zeros_like(vector) for v in voices for a, vector in v.vectors.items()}
    vectors = {a: np.stack([v.vectors.get(a, zeros) for v in voices]) for a, zeros in blank.items()}
    return Table(tuple(range(len(voices))), vectors, profiles)


def allowed_ids(store: Store, filters: Filters, first: Voice | None) -> list[int] | None:
    """The tracks that pass; None where nothing is filtered. Raises UsageError where none passes.

    first: whose tempo and key "same" means; None where there is no such track.
    """
    if not filters.any:
        return None
    passed = _passing(store, filters, first)
    if not passed:
        raise UsageError(f"no track passes the filters: {_blame(store, filters, first)}")
    return passed


def _passing(store: Store, filters: Filters, first: Voice | None) -> list[int]:
    """The tracks that pass filters, none where none does."""
    if first is None and (filters.same_tempo or filters.same_key):
        raise UsageError("'same' tempo or key needs a track to be the same as: give a reference")
    tempo = filters.tempo_bpm
    if filters.same_tempo and first is not None:
        bpm = tempo_of(first.seed.track.tags if first.seed.track else Tags(), first.measures)
        if bpm is None:
            raise UsageError(f"{first.seed.name} has no tempo to go by: give one with --tempo")
        tempo = Range(bpm / SAME_TEMPO, bpm * SAME_TEMPO)
    conditions = Conditions(
        tempo_bpm=_limits(tempo),
        duration_s=_limits(filters.duration_s),
        year=_limits(filters.year),
        activity=_limits(filters.attribute("activity")),
        brightness=_limits(filters.attribute("brightness")),
        drive=_limits(filters.attribute("drive")),
        loudness_lufs=_limits(filters.loudness_lufs),
        genre=filters.genre,
        artist=filters.artist,
        album=filters.album,
        folder=filters.folder,
        excluded_words=filters.excluded_words,
        languages=filters.languages,
        rating=_limits(filters.rating),
        unplayed_days=filters.unplayed_days,
    )
    return _in_key(store.steering.allowed(conditions), filters, first)


def _blame(store: Store, filters: Filters, first: Voice | None) -> str:
    """Which filters leave nothing: one alone, two that exclude each other, or all together."""
    plain = Filters()
    single = {
        name: replace(plain, **{name: getattr(filters, name)})
        for name in filters.__struct_fields__
        if getattr(filters, name) != getattr(plain, name)
    }
    passed = {name: set(_passing(store, one, first)) for name, one in single.items()}
    for name, ids in passed.items():
        if not ids:
            return f"{describe(single[name])}; loosen it"
    for (one, ids), (other, others) in combinations(passed.items(), 2):
        if ids.isdisjoint(others):
            pair = f"{describe(single[one])} and {describe(single[other])}"
            return f"{pair} exclude each other; loosen one of them"
    return f"{describe(filters)}; loosen one of them"


def tempo_of(tags: Tags, measures: Measures | None) -> float | None:
    """Beats per minute: the tag, else what was heard."""
    if tags.bpm:
        return tags.bpm
    return measures.tempo.bpm if measures and measures.tempo else None


def key_of(tags: Tags, measures: Measures | None) -> tuple[int, str] | None:
    """(tonic, mode): the tag where it can be read, else what was heard."""
    tagged = keys.parse(tags.key) if tags.key else None
    if tagged:
        return tagged
    return (measures.key.tonic, measures.key.mode) if measures and measures.key else None


def describe(filters: Filters) -> str:
    """The conditions in words, for messages."""
    parts = []
    for name in filters.__struct_fields__:
        value = getattr(filters, name)
        if isinstance(value, Range):
            low = "" if value.low is None else f"{value.low:g}"
            high = "" if value.high is None else f"{value.high:g}"
            parts.append(f"{name} {low}-{high}")
        elif value is True:
            parts.append(name.replace("_", " "))
        elif name == "key" and value:
            parts.append(f"key {keys.name(*value)}")
        elif isinstance(value, tuple) and value:
            parts.append(f"{name.replace('_', ' ')} {', '.join(map(str, value))!r}")
        elif value:
            parts.append(f"{name.replace('_', ' ')} {value!r}")
    return ", ".join(parts)


def _in_key(passed: Sequence[Allowed], filters: Filters, first: Voice | None) -> list[int]:
    wanted = filters.key
    if filters.same_key and first is not None:
        wanted = key_of(first.seed.track.tags if first.seed.track else Tags(), first.measures)
        if wanted is None:
            raise UsageError(f"{first.seed.name} has no key to go by: give one with --key")
    if wanted is None:
        return [one.track_id for one in passed]
    kept = []
    for one in passed:
        own = (keys.parse(one.tagged_key) if one.tagged_key else None) or one.heard_key
        if own and (keys.compatible(own, wanted) if filters.same_key else own == wanted):
            kept.append(one.track_id)
    return kept


def _limits(limits: Range | None) -> tuple[float, float] | None:
    if limits is None:
        return None
    return (
        -_WIDE if limits.low is None else limits.low,
        _WIDE if limits.high is None else limits.high,
    )
