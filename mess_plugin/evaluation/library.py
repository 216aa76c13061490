"""Evaluates the user's own library by its tags, its files, its index and the user's judgements."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from mess_plugin import audio
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.evaluation import labels, tasks
from mess_plugin.evaluation.labels import LabelForm
from mess_plugin.evaluation.metrics import Floats
from mess_plugin.evaluation.search import (
    Done,
    Sample,
    Step,
    System,
    cut_in_halves,
    half_against_half,
    index_recall,
    robustness,
    section_lookup,
    similarities,
    unobserved,
)
from mess_plugin.evaluation.tasks import TaskResult
from mess_plugin.model import Level, Track, Waveform
from mess_plugin.search.rerank import SONG_ALONE

MAX_SAMPLE_S = 300.0  # of a file that is transformed; the whole of most songs


class Task(StrEnum):
    """What can be measured."""

    TAGS = "tags"
    ROBUSTNESS = "robustness"
    SECTIONS = "sections"
    INDEX = "index"
    LABELS = "labels"


class EvaluationPlan(msgspec.Struct, frozen=True):
    """What to measure, and on how much of the library."""

    tasks: frozenset[Task]
    queries: int = 200
    """Tracks that ask in the retrieval tasks."""
    files: int = 20
    """Files that are decoded and transformed."""
    seed: int = 0
    """Of the random choice of both, and of the transformations."""
    label_file: Path | None = None
    """The user's own judgements."""
    label_form: LabelForm = LabelForm.GROUPS
    sample_s: float = MAX_SAMPLE_S
    """At most so much of each file is used."""


class Observer(msgspec.Struct, frozen=True):
    """What is told how an evaluation goes."""

    begin: Callable[[str], None]
    """What begins."""
    note: Callable[[str], None]
    """What cannot be measured, and why."""
    done: Done = unobserved
    """That a step is done."""


def evaluate(system: System, plan: EvaluationPlan, observer: Observer) -> list[TaskResult]:
    """Measure one system on the library that it searches.

    Raises UsageError where the library is too small, or for a label file that does not fit it.
    """
    tracks = tracks_of(system)
    results: list[TaskResult] = []
    for task in Task:
        if task in plan.tasks:
            observer.begin(f"{system.name}: {task.value}")
            results += _MEASURES[task](system, plan, tracks, observer)
    return results


def tracks_of(system: System) -> dict[int, Track]:
    """The tracks that a system searches. Raises UsageError for fewer than two."""
    track_ids = system.store.embeddings.tracks(system.space)
    tracks = system.store.library.get(track_ids)
    if len(tracks) < 2:
        raise UsageError(
            f"the library holds {len(tracks)} tracks in {system.space.name}: two or more are "
            "needed to compare anything; run `mess index FOLDER`"
        )
    return tracks


def _tags(
    system: System, plan: EvaluationPlan, tracks: Mapping[int, Track], observer: Observer
) -> list[TaskResult]:
    """Album: other tracks of the album, the artist's other albums being neither right nor wrong.

    Artist: the artist's tracks on *other* albums; tracks of the same album share studio and
    mastering and would flatter any system (A. Flexer, "A closer look on artist filters for musical
    genre classification", ISMIR 2007), so they do not count.
    """
    cards = [(t.id, t.tags.album, t.tags.album_artist or t.tags.artist) for t in tracks.values()]
    albums = np.array([f"{artist}\0{album}" if album else f"\0{i}" for i, album, artist in cards])
    artists = np.array([artist or f"\0{i}" for i, _, artist in cards])
    same_album = albums[:, None] == albums[None]
    same_artist = artists[:, None] == artists[None]
    themselves = np.eye(len(cards), dtype=np.bool_)
    views = {
        "album": (same_album & ~themselves, themselves | (same_artist & ~same_album)),
        "artist": (same_artist & ~same_album, themselves | (same_artist & same_album)),
    }
    asking = np.flatnonzero(np.any([right.any(axis=1) for right, _ in views.values()], axis=0))
    if not len(asking):
        observer.note(
            "tags: no two tracks share an album or an artist, so there is nothing to measure"
        )
        return []
    rows = _chosen(asking.tolist(), plan.queries, plan.seed)
    track_ids = [card[0] for card in cards]
    similarity = similarities(system, [track_ids[row] for row in rows], track_ids, observer.done)
    return [
        tasks.retrieval(name, similarity, right[rows], ignored[rows], albums[rows].tolist())
        for name, (right, ignored) in views.items()
        if right[rows].any()
    ]


def _robustness(
    system: System, plan: EvaluationPlan, tracks: Mapping[int, Track], observer: Observer
) -> list[TaskResult]:
    samples = list(_samples(system, plan, tracks, observer))
    if not samples:
        return []
    halves = half_against_half(
        system, samples, cut_in_halves(system.encoder.info.rate_hz), observer.done
    )
    return [*robustness(system, samples, seed=plan.seed, done=observer.done), halves]


def _sections(
    system: System, plan: EvaluationPlan, tracks: Mapping[int, Track], observer: Observer
) -> list[TaskResult]:
    samples = list(_samples(system, plan, tracks, observer))
    return [section_lookup(system, samples, seed=plan.seed, done=observer.done)] if samples else []


def _index(
    system: System, plan: EvaluationPlan, tracks: Mapping[int, Track], observer: Observer
) -> list[TaskResult]:
    chosen = _chosen(sorted(tracks), plan.queries, plan.seed)
    groups = [tracks[track_id].tags.album or str(track_id) for track_id in chosen]
    results = []
    for level in (Level.SONG, Level.WINDOW):
        limit = system.settings.exact_below
        if system.store.embeddings.count_up_to(system.space, level, limit + 1) <= limit:
            observer.note(f"index: {level.value}s are few enough to be searched exactly here")
        results.append(index_recall(system, level, chosen, groups, observer.done))
    return results


def _labels(
    system: System, plan: EvaluationPlan, tracks: Mapping[int, Track], observer: Observer
) -> list[TaskResult]:
    assert plan.label_file is not None
    place = {path: track.id for track in tracks.values() for path in track.paths}

    def known(paths: Sequence[str]) -> dict[str, int]:
        ids = {path: place.get(os.path.abspath(os.path.expanduser(path))) for path in paths}  # noqa: PTH100, PTH111
        missing = [path for path, track_id in ids.items() if track_id is None]
        if missing:
            observer.note(
                f"labels: {len(missing)} paths are not in the library, the first is {missing[0]}"
            )
        found = {path: track_id for path, track_id in ids.items() if track_id is not None}
        if len(found) < 2:
            raise UsageError(f"{plan.label_file}: fewer than two of its paths are in the library")
        return found

    def matrix(found: Mapping[str, int]) -> Floats:
        return similarities(system, list(found.values()), list(found.values()))

    if plan.label_form is LabelForm.GROUPS:
        groups = labels.read_groups(plan.label_file)
        found = known(list(groups))
        return [tasks.group_retrieval(matrix(found), [groups[path] for path in found])]
    if plan.label_form is LabelForm.PAIRS:
        pairs = labels.read_pairs(plan.label_file)
        found = known([path for pair in pairs for path in pair])
        kept = [pair for pair in pairs if set(pair) <= found.keys()]
        return [tasks.pair_retrieval(matrix(found), list(found), kept)]
    triplets = labels.read_triplets(plan.label_file)
    found = known([path for t in triplets for path in (t.anchor, t.nearer, t.farther)])
    whole = [t for t in triplets if {t.anchor, t.nearer, t.farther} <= found.keys()]
    return [tasks.triplet_agreement(matrix(found), list(found), whole)]


_MEASURES: Mapping[
    Task,
    Callable[
        [System, EvaluationPlan, Mapping[int, Track], Observer],
        list[TaskResult],
    ],
] = {
    Task.TAGS: _tags,
    Task.ROBUSTNESS: _robustness,
    Task.SECTIONS: _sections,
    Task.INDEX: _index,
    Task.LABELS: _labels,
}


def _samples(
    system: System, plan: EvaluationPlan, tracks: Mapping[int, Track], observer: Observer
) -> Iterator[Sample]:
    """Tracks of which a file can be decoded, chosen at random."""
    there = [t for t in tracks.values() if t.path and Path(t.path).is_file()]
    if not there:
        observer.note("no file of the library can be reached, so nothing can be transformed")
    rate_hz = system.encoder.info.rate_hz
    for row in _chosen(list(range(len(there))), plan.files, plan.seed):
        track = there[row]
        path = Path(track.path or "")
        try:
            waveform = beginning(path, rate_hz, plan.sample_s)
        except AudioError as error:
            observer.note(f"left out: {error}")
            continue
        finally:
            observer.done(Step.DECODED)
        group = track.tags.album or str(track.id)
        yield Sample(track.id, path.name, group, lambda waveform=waveform: waveform)  # type: ignore[misc]


def beginning(path: Path, rate_hz: int, most_s: float = MAX_SAMPLE_S) -> Waveform:
    """A file, mono at a rate, at most so much of it. Raises AudioError."""
    wanted = round(most_s * rate_hz)
    blocks: list[Waveform] = []
    with audio.decode(path, rate_hz) as decoding:
        for block in decoding:
            blocks.append(block)
            wanted -= len(block)
            if wanted <= 0:
                break
    if not blocks:
        raise AudioError(str(path), "empty", "there is no sound in it")
    whole = np.concatenate(blocks)
    return whole[: len(whole) + min(0, wanted)]


def _chosen(values: Sequence[int], n: int, seed: int) -> list[int]:
    if len(values) <= n:
        return list(values)
    rows = np.random.default_rng(seed).permutation(len(values))[:n]
    return [values[row] for row in sorted(rows.tolist())]


def ablation(system: System, raw: System) -> list[System]:
    """The same library with ever more of the pipeline: what does each step add?"""
    steps = [replace(raw, name="song mean", weights=SONG_ALONE)]
    if raw.space.id != system.space.id:
        steps.append(replace(system, name="+ whitening", weights=SONG_ALONE))
    plain = replace(system.weights, facets=0.0)
    steps.append(replace(system, name="+ windows", weights=replace(plain, course=0.0)))
    steps.append(replace(system, name="+ course", weights=plain))
    if system.weights.facets:
        steps.append(replace(system, name="+ facets"))
    return steps
