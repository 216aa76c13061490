"""Score the whole search on a list of recordings: the real store, the rerank and the passages.

    python -m benchmarks.dev_search LIST AUDIO --cache DIR [--encoder NAME] [--json OUT] [--steps]
    python -m benchmarks.dev_search LIST AUDIO --cache DIR --steps --runs WORK/fold0 WORK/fold1 …

LIST, AUDIO and --cache as for dev_retrieval.py. The middle 60 s of each recording are indexed into an
embedded database of its own; then every task is asked as a user asks it.

--steps  a column for each step of the pipeline: the mean of the song alone, whitening, late
         interaction, the course, the facets. The section task has one figure, since no step changes it.
         A last column chooses the facets' weight for each fold by the album MAP of the others.
--runs   weights of mess-mini that were trained without a fold of the artists, one for each fold as in
         mini_crossval.py: each album asks the weights that never heard it, among all recordings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

import msgspec
from msgspec.structs import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.mini_crossval import joined, only
from mess_plugin import embedded, encoders
from mess_plugin.analysis.hierarchy import analyse, embed
from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder, EncoderInfo, EncoderOptions
from mess_plugin.evaluation import report, tasks
from mess_plugin.evaluation.excerpts import ExcerptCache, duration_s
from mess_plugin.evaluation.library import ablation
from mess_plugin.evaluation.listing import ListedRecording, Role, read_listing
from mess_plugin.evaluation.repeats import Repeats
from mess_plugin.evaluation.search import (
    Sample,
    System,
    half_against_half,
    robustness,
    section_lookup,
    similarities,
)
from mess_plugin.evaluation.tasks import TaskResult
from mess_plugin.evaluation.trials import HALF_S, SECTION_S
from mess_plugin.facets import TrackFacets
from mess_plugin.facets.extract import hear_sound
from mess_plugin.model import Float32, Level, Projection, Tags, Waveform
from mess_plugin.pretraining.folds import folds
from mess_plugin.search.rerank import SONG_ALONE, weights_of
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.spaces.refit import refit
from mess_plugin.spaces.vectors import raw_space
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import SeenFile

EXCERPT_S = 60.0


class Remembering:
    """An encoder that hears the same windows only once, however many columns ask for them."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._heard: dict[bytes, Float32] = {}

    @property
    def info(self) -> EncoderInfo:
        """The encoder's label."""
        return self._encoder.info

    @property
    def projections(self) -> Mapping[Level, Projection]:
        """The encoder's own projections."""
        return self._encoder.projections

    def encode(self, windows: Float32) -> Float32:
        """As the encoder does."""
        key = hashlib.blake2b(windows.tobytes() + str(windows.shape).encode()).digest()
        if key not in self._heard:
            self._heard[key] = self._encoder.encode(windows)
        return self._heard[key]


FACET_WEIGHTS = (0.0, 0.05, 0.1, 0.2)
CHOSEN = "facets' weight chosen elsewhere"


class Bare(Remembering):
    """The same encoder without its own projections."""

    @property
    def projections(self) -> Mapping[Level, Projection]:
        """None."""
        return {}


class Facets:
    """What is heard beside the encoder, of each waveform only once."""

    def __init__(self) -> None:
        self._heard: dict[bytes, TrackFacets | None] = {}

    def __call__(self, waveform: Waveform, rate_hz: int) -> TrackFacets | None:
        """As `hear_sound` does."""
        key = hashlib.blake2b(waveform.tobytes()).digest()
        if key not in self._heard:
            self._heard[key] = hear_sound(waveform, rate_hz)
        return self._heard[key]


class Music(msgspec.Struct, frozen=True):
    """Recordings of the evaluation set with their waveforms, and where more of them is."""

    recordings: list[ListedRecording]
    waveforms: list[Waveform]
    cache: ExcerptCache
    audio: Path
    facets: Facets

    def path(self, row: int) -> Path:
        """The file of a recording."""
        return self.audio / self.recordings[row].track


def fill(
    store: Store, recipe: Recipe, encoder: Encoder, music: Music, levels: Sequence[Level]
) -> list[int]:
    """Index the waveforms as `mess index` would index files. Returns the track ids."""
    space = raw_space(store, recipe, encoder)
    track_ids = []
    for recording, waveform in zip(music.recordings, music.waveforms, strict=True):
        analysis = analyse(
            [waveform],
            encoder,
            window_s=recipe.window_s,
            hop_s=recipe.hop_s,
            source=recording.track,
        )
        heard = music.facets(waveform, encoder.info.rate_hz)
        path = f"/{recording.track}"
        wanted = store.jobs.enqueue([SeenFile(path, 1, 1)], str(recipe), uuid4())
        job = store.jobs.start(wanted.job_ids[0])
        assert job is not None
        with store.transaction():
            track_id = store.library.save(recording.track, analysis.duration_s, None)
            vectors = {level: embed(analysis, level, encoder.projections) for level in levels}
            store.embeddings.write(space, track_id, vectors)
            if heard is not None:
                store.facets.write(track_id, heard)
            tags = Tags(title=recording.track, album=recording.album, artist=recording.artist)
            store.files.locate(job.file_id, path, track_id, tags)
            store.jobs.finish(job.id, "encoded")
        track_ids.append(track_id)
    refit(store, str(recipe), force=True)
    return track_ids


def albums(system: System, music: Music, track_ids: Sequence[int], asked: set[str]) -> TaskResult:
    """Album retrieval, asked by some albums."""
    recordings = music.recordings
    asking = [i for i, r in enumerate(recordings) if r.role is Role.QUERY and r.album in asked]
    similarity = np.zeros((len(recordings), len(recordings)))
    similarity[asking] = similarities(system, [track_ids[i] for i in asking], track_ids)
    return only(tasks.album_retrieval(similarity, recordings), asked)


def altered(
    system: System, music: Music, samples: Mapping[int, Sample], asked: set[str]
) -> list[TaskResult]:
    """Transformed recordings and halves, asked by some albums. samples: by their row."""
    row_of = {sample.track_id: row for row, sample in samples.items()}

    def cut(sample: Sample) -> tuple[Waveform, Waveform]:
        file = music.path(row_of[sample.track_id])
        length_s = duration_s(file)
        first, second = (music.cache.around(file, part * length_s, HALF_S) for part in (0.25, 0.75))
        return first, second

    halves = half_against_half(system, list(samples.values()), cut)
    asking = [sample for sample in samples.values() if sample.group in asked]
    return [*robustness(system, asking), only(halves, asked)]


def places(
    system: System, music: Music, samples: Mapping[int, Sample], asked: set[str]
) -> TaskResult:
    """Section lookup, asked by some albums."""
    row_of = {sample.track_id: row for row, sample in samples.items()}
    listening = ExcerptCache(music.cache.folder, 24_000)
    repeats: dict[int, Repeats] = {}

    def same_sound(sample: Sample, true_s: float, found_s: float) -> bool:
        if sample.track_id not in repeats:
            heard = listening.middle(music.path(row_of[sample.track_id]), EXCERPT_S)
            repeats[sample.track_id] = Repeats.of(heard)
        starts_s = repeats[sample.track_id].starts_s(true_s, SECTION_S)
        return bool(np.min(np.abs(starts_s - found_s)) <= tasks.PLACE_TOLERANCE_S)

    asking = [sample for sample in samples.values() if sample.group in asked]
    return section_lookup(system, asking, same_sound=same_sound)


def score(
    music: Music, loaded: Encoder, name: str, asked: set[str], *, steps: bool
) -> tuple[dict[str, list[TaskResult]], dict[float, TaskResult]]:
    """All tasks, asked by some albums: by system; and albums alone by the facets' weight."""
    encoder = Remembering(loaded)
    recipe = Recipe(name, None, 5.0, 2.5)
    with (
        tempfile.TemporaryDirectory() as home,
        embedded.lease(Path(home)) as held,
        open_store(held.endpoints.database_url) as store,
    ):
        track_ids = fill(store, recipe, encoder, music, tuple(Level))
        space, base = store.spaces.searchable(str(recipe)), store.spaces.base(str(recipe))
        assert space is not None
        assert base is not None
        full = System(
            f"{name}, all", store, Settings(home=Path(home)), space, encoder, weights_of(space),
            music.facets,
        )  # fmt: skip
        systems = [full]
        if steps:
            raw = replace(full, space=base, weights=SONG_ALONE)
            if encoder.projections:
                bare = Bare(encoder)
                unprojected = Recipe(f"{name}, unprojected", None, 5.0, 2.5)
                fill(store, unprojected, bare, music, (Level.SONG,))
                raw = replace(raw, space=raw_space(store, unprojected, bare), encoder=bare)
            systems = ablation(full, raw)
        samples = {row: _sample(music, row, i) for row, i in enumerate(track_ids)
                   if music.recordings[row].robustness}  # fmt: skip
        results = {}
        for system in systems:
            print(f"{system.name} …", flush=True)
            found = [albums(system, music, track_ids, asked)]
            results[system.name] = [*found, *altered(system, music, samples, asked)]
        results[systems[-1].name].append(places(full, music, samples, asked))
        weights = FACET_WEIGHTS if steps and full.weights.facets else ()
        by_weight = {
            weight: albums(
                replace(full, weights=replace(full.weights, facets=weight)),
                music, track_ids, asked,
            )
            for weight in weights
        }  # fmt: skip
        embedded.down(Path(home))
    return results, by_weight


def _sample(music: Music, row: int, track_id: int) -> Sample:
    recording, path = music.recordings[row], music.path(row)
    return Sample(
        track_id,
        path.name,
        recording.album,
        lambda: music.waveforms[row],
        lambda name: music.cache.transformed(path, EXCERPT_S, name),
    )


def chosen_elsewhere(parts: Sequence[Mapping[float, TaskResult]]) -> TaskResult:
    """Each fold by the weight that is best for the others. parts: weight → result, for each fold."""
    chosen = []
    for fold, part in enumerate(parts):
        others = [other for place, other in enumerate(parts) if place != fold]
        mean = {
            weight: np.nanmean(np.concatenate([other[weight].measures["MAP"] for other in others]))
            for weight in part
        }
        best = max(mean, key=lambda weight: float(mean[weight]))
        print(f"fold {fold}: facets' weight {best:g}")
        chosen.append(part[best])
    return joined(chosen)


def encoders_of(name: str, runs: Sequence[Path]) -> Iterator[Encoder]:
    """The encoder, once for each run."""
    for run in runs:
        yield encoders.load(name, EncoderOptions(weights=run))
    if not runs:
        yield encoders.load(name)


def main() -> None:
    """Parse the command line, index, score and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--encoder", default=encoders.DEFAULT_ENCODER)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--steps", action="store_true", help="a column for each step")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="one for each fold")
    options = parser.parse_args()

    listed = read_listing(options.list)
    n_folds = len(options.runs) or 3
    fold_of = {r.album: fold for r, fold in zip(listed, folds(listed, n_folds), strict=True)}
    recordings = [r for r in listed if r.role is not Role.OUT]
    cache = ExcerptCache(options.cache, encoders.load(options.encoder).info.rate_hz)
    waveforms = [cache.middle(options.audio / r.track, EXCERPT_S) for r in recordings]
    music = Music(recordings, waveforms, cache, options.audio, Facets())
    every: list[dict[str, list[TaskResult]]] = []
    by_weight: list[dict[float, TaskResult]] = []
    for fold, encoder in enumerate(encoders_of(options.encoder, options.runs)):
        asked = {album for album, f in fold_of.items() if f == fold or not options.runs}
        found, weighed = score(music, encoder, options.encoder, asked, steps=options.steps)
        every.append(found)
        by_weight.append(weighed)
        print(f"{encoder.info.name}@{encoder.info.revision}: {len(asked)} albums", flush=True)
    results = {name: [joined(same) for same in zip(*(part[name] for part in every), strict=True)]
               for name in every[0]}  # fmt: skip
    if not options.runs:
        by_weight = [
            {weight: only(result, {a for a, f in fold_of.items() if f == fold})
             for weight, result in by_weight[0].items()}
            for fold in range(n_folds)
        ]  # fmt: skip
    if by_weight[0]:
        results[CHOSEN] = [chosen_elsewhere(by_weight)]
        results |= {f"facets {w:g}": [joined([part[w] for part in by_weight])]
                    for w in by_weight[0]}  # fmt: skip
    print(report.markdown(report.table(results)))
    if len(results) > 1:
        names = list(results)
        baseline = names[1 if len(names) > 3 else 0]
        print(f"\n{report.markdown(report.differences(results, baseline))}")
    if options.json:
        options.json.write_text(json.dumps(report.as_json(results), indent=1) + "\n")


if __name__ == "__main__":
    main()
