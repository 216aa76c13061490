"""Runs the evaluation tasks against the real store, through the real search.

So the encoder, projection, index, reranking and alignment are scored together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import msgspec
import numpy as np
from msgspec.structs import replace

from mess_plugin.analysis.hierarchy import analyse
from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder
from mess_plugin.errors import AudioError
from mess_plugin.evaluation import tasks
from mess_plugin.evaluation.metrics import Floats
from mess_plugin.evaluation.tasks import ExcerptPosition, TaskResult
from mess_plugin.evaluation.transforms import TRANSFORMS
from mess_plugin.evaluation.trials import draw_sections, halves, transformed
from mess_plugin.facets import TrackFacets
from mess_plugin.facets.extract import hear_sound
from mess_plugin.model import Interval, Level, Space, Waveform
from mess_plugin.options import SHOW
from mess_plugin.search.candidates import candidates_of, features_of
from mess_plugin.search.engine import search
from mess_plugin.search.query import DEFAULT_WEIGHTS, MAX_K, Query
from mess_plugin.search.rerank import ViewWeights
from mess_plugin.search.scoring import score
from mess_plugin.search.seeds import Seed, seed_of, seed_of_track
from mess_plugin.store import Store

DEPTH = 300  # answers considered; later ones count as not found
INDEX_K = 20
_NOT_FOUND = -2.0  # below every cosine


class Step(StrEnum):
    """A part of an evaluation that takes time."""

    QUESTION = "a known track asks"
    INDEX = "a vector is looked up in the index and by an exact scan"
    DECODED = "a file is decoded"
    TRANSFORMED = "a file is changed, heard, and looks for its original"
    HALF = "half a minute is heard"
    SECTION = "an excerpt is worn out, heard, and looked up"


Done = Callable[[Step], None]
"""Is told of each step when it is done."""


def unobserved(_step: Step) -> None:
    """Tell nobody."""


class System(msgspec.Struct, frozen=True):
    """A system under test: a space of the store, and how songs are scored in it."""

    name: str
    store: Store
    settings: Settings
    space: Space
    encoder: Encoder
    weights: ViewWeights
    """Of the views of the feel."""
    hear_facets: Callable[[Waveform, int], TrackFacets | None] = hear_sound
    """A waveform and its rate → its facets, None where there is too little sound."""

    def known(self, track_id: int) -> Seed:
        """A track of the library as a question."""
        return seed_of_track(self.store, self.space, str(track_id), track_id, None)

    def heard(self, waveform: Waveform) -> Seed:
        """A waveform at the encoder's rate as a question. Raises AudioError where it is no music."""
        space = self.space
        analysis = analyse(
            [waveform], self.encoder, window_s=space.window_s, hop_s=space.hop_s, source="excerpt"
        )
        seed = seed_of(self.store, self.encoder, space, analysis, "excerpt", None)
        if not self.weights.facets:
            return seed
        return replace(seed, heard=self.hear_facets(waveform, self.encoder.info.rate_hz))

    def songs(self, seed: Seed, depth: int = DEPTH) -> dict[int, float]:
        """The scores of the most similar tracks by id."""
        found = search(
            self.store,
            self.settings,
            seed,
            Query(duplicates=SHOW),
            k=min(depth, MAX_K),
            space=self.space,
            heeds_never=False,
            views=self.weights,
            explain=False,
        )
        # Equal scores keep their order.
        return {match.track.id: match.score - 1e-9 * match.rank for match in found.matches}

    def place(self, seed: Seed) -> tuple[int, float] | None:
        """The track that holds an excerpt, and where it starts there."""
        whole = Interval(0.0, seed.duration_s)
        found = search(
            self.store,
            self.settings,
            seed,
            k=1,
            space=self.space,
            interval=whole,
            heeds_never=False,
        )
        for match in found.matches:
            assert match.match_section is not None
            return match.track.id, match.match_section.start_s
        return None


class Sample(msgspec.Struct, frozen=True):
    """A recording whose audio can be loaded."""

    track_id: int
    key: str
    """Seeds the random choices."""
    group: str
    """Its album, for confidence intervals."""
    load: Callable[[], Waveform]
    changed: Callable[[str], Waveform] | None = None
    """Its waveform after one of TRANSFORMS, where that is cached."""


def similarities(
    system: System, queries: Sequence[int], track_ids: Sequence[int], done: Done = unobserved
) -> Floats:
    """Scores of every track for each query, (n_queries, n_tracks); low where it was not found."""
    column = {track_id: i for i, track_id in enumerate(track_ids)}
    rows = np.full((len(queries), len(track_ids)), _NOT_FOUND)
    for row, track_id in zip(rows, queries, strict=True):
        for found, value in system.songs(system.known(track_id), len(track_ids)).items():
            if found in column:
                row[column[found]] = value
        done(Step.QUESTION)
    return rows


def robustness(
    system: System, samples: Iterable[Sample], *, seed: int = 0, done: Done = unobserved
) -> list[TaskResult]:
    """Whether each transformed recording finds its original first: a result per transformation."""
    groups: list[str] = []
    ranks: dict[str, list[float]] = {name: [] for name in TRANSFORMS}
    rate_hz = system.encoder.info.rate_hz
    for sample in samples:
        waveform = sample.load()
        groups.append(sample.group)
        for name, reciprocal in ranks.items():
            if sample.changed is not None:
                asked = sample.changed(name)
            else:
                asked = transformed(name, waveform, rate_hz, sample.key, seed)
            reciprocal.append(_reciprocal_rank(system, asked, sample.track_id))
            done(Step.TRANSFORMED)
    return [
        TaskResult(
            name,
            {"R@1": (np.array(values) == 1).astype(np.float64), "MRR": np.array(values)},
            tuple(groups),
        )
        for name, values in ranks.items()
    ]


def half_against_half(
    system: System,
    samples: Iterable[Sample],
    cut: Callable[[Sample], tuple[Waveform, Waveform]],
    done: Done = unobserved,
) -> TaskResult:
    """Whether one part of each recording finds the other part of the same among all samples."""
    sides: list[tuple[Seed, Seed]] = []
    groups = []
    for sample in samples:
        try:
            first, second = cut(sample)
            sides.append((system.heard(first), system.heard(second)))
        except AudioError:  # one half is silent: there is nothing to find
            continue
        finally:
            done(Step.HALF)
            done(Step.HALF)
        groups.append(sample.group)
    similarity = np.zeros((len(sides), len(sides)))
    if sides:
        asked, others = (
            [features_of(system.store, one) for one in side] for side in zip(*sides, strict=True)
        )
        table = candidates_of(others, system.weights)
        similarity = np.stack(
            [score(table, [one], (), DEFAULT_WEIGHTS, views=system.weights).scores for one in asked]
        )
    return tasks.same_recording("halves", similarity, range(len(sides)), groups)


def cut_in_halves(rate_hz: int) -> Callable[[Sample], tuple[Waveform, Waveform]]:
    """30 s around the first and the third quarter of the waveform."""
    return lambda sample: halves(sample.load(), rate_hz)


def section_lookup(
    system: System,
    samples: Iterable[Sample],
    *,
    same_sound: Callable[[Sample, float, float], bool] | None = None,
    seed: int = 0,
    done: Done = unobserved,
) -> TaskResult:
    """Whether worn-out excerpts are found in their track, and where.

    same_sound(sample, true_start_s, found_start_s): whether the two places sound the same.
    """
    asked: list[Sample] = []
    truth: list[ExcerptPosition] = []
    found: list[ExcerptPosition | None] = []
    rate_hz = system.encoder.info.rate_hz
    for sample in samples:
        for section in draw_sections(sample.load(), rate_hz, len(asked), sample.key, seed):
            answer = _place(system, section.waveform)
            number = len(asked)
            truth.append(ExcerptPosition(number, section.place.start_s))
            right = answer is not None and answer[0] == sample.track_id
            found.append(ExcerptPosition(number if right else -1, answer[1]) if answer else None)
            asked.append(sample)
            done(Step.SECTION)
    heard = same_sound

    def same(true: ExcerptPosition, other: ExcerptPosition) -> bool:
        return heard is not None and heard(asked[true.recording], true.start_s, other.start_s)

    return tasks.section_lookup(
        found, truth, [sample.group for sample in asked], same_sound=same if heard else None
    )


def index_recall(
    system: System,
    level: Level,
    track_ids: Sequence[int],
    groups: Sequence[str],
    done: Done = unobserved,
) -> TaskResult:
    """Recall of the approximate index against an exact scan, for the middle vector of each track."""
    found: list[list[int]] = []
    exact: list[list[int]] = []
    embeddings = system.store.embeddings
    for track_id in track_ids:
        vectors = embeddings.of_track(system.space, level, track_id).vectors
        vector = vectors[len(vectors) // 2]
        for ids, exactly in ((found, False), (exact, True)):
            hits = embeddings.nearest(
                system.space, level, vector, INDEX_K, excluded_tracks=[track_id], exact=exactly
            )
            ids.append([hit.track_id << 32 | hit.ordinal for hit in hits])
        done(Step.INDEX)
    k = min((len(ids) for ids in exact), default=0)  # fewer than INDEX_K in a small library
    result = tasks.index_recall(found, [ids[:k] for ids in exact], list(groups))
    return replace(result, task=f"index, {level.value}s")


def _reciprocal_rank(system: System, waveform: Waveform, track_id: int) -> float:
    try:
        scores = system.songs(system.heard(waveform))
    except AudioError:
        return 0.0
    if track_id not in scores:
        return 0.0
    others = [score for other, score in scores.items() if other != track_id]
    return 1.0 / (1 + sum(score >= scores[track_id] for score in others))


def _place(system: System, waveform: Waveform) -> tuple[int, float] | None:
    try:
        return system.place(system.heard(waveform))
    except AudioError:  # too quiet to be music
        return None
