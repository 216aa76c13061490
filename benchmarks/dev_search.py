"""Score the whole search on a list of recordings: the real store, the rerank and the passages.

    python benchmarks/dev_search.py LIST AUDIO --cache DIR [--encoder NAME] [--json OUT] [--steps]

LIST, AUDIO and --cache as for dev_retrieval.py. The middle 60 s of each recording are indexed into an
embedded database of its own; then every task is asked as a user asks it. --steps adds a column for
each step of the pipeline: the mean of the song alone, whitening, late interaction, the course.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from mess_plugin import embedded, encoders
from mess_plugin.analysis import analyse, embed
from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder, EncoderInfo
from mess_plugin.evaluate_library import ablation
from mess_plugin.evaluate_search import (
    Sample,
    System,
    half_against_half,
    robustness,
    section_lookup,
    similarities,
)
from mess_plugin.evaluation import report, tasks
from mess_plugin.evaluation.excerpts import ExcerptCache, duration_s
from mess_plugin.evaluation.listing import Recording, Role, read_listing
from mess_plugin.evaluation.repeats import Repeats
from mess_plugin.evaluation.tasks import TaskResult
from mess_plugin.evaluation.trials import HALF_S, SECTION_S
from mess_plugin.indexing import raw_space
from mess_plugin.model import Float32, Level, Projection, Tags, Waveform
from mess_plugin.recipe import Recipe
from mess_plugin.refit import refit
from mess_plugin.rerank import SONG_ALONE, weights_of
from mess_plugin.store import Store, open_store
from mess_plugin.store.ledger import SeenFile

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


def fill(
    store: Store, recipe: Recipe, encoder: Encoder, waveforms: Sequence[tuple[Recording, Waveform]]
) -> list[int]:
    """Index the waveforms as `mess index` would index files. Returns the track ids."""
    space = raw_space(store, recipe, encoder)
    track_ids = []
    for recording, waveform in waveforms:
        analysis = analyse(
            [waveform],
            encoder,
            window_s=recipe.window_s,
            hop_s=recipe.hop_s,
            source=recording.track,
        )
        path = f"/{recording.track}"
        wanted = store.ledger.want([SeenFile(path, 1, 1)], str(recipe), uuid4())
        job = store.ledger.start(wanted.job_ids[0])
        assert job is not None
        with store.transaction():
            track_id = store.library.save(recording.track, analysis.duration_s, None)
            levels = {level: embed(analysis, level, encoder.projections) for level in Level}
            store.embeddings.write(space, track_id, levels)
            tags = Tags(title=recording.track, album=recording.album, artist=recording.artist)
            store.ledger.locate(job.file_id, path, track_id, tags)
            store.ledger.finish(job.id, "encoded")
        track_ids.append(track_id)
    refit(store, str(recipe), force=True)
    return track_ids


def score(
    system: System,
    recordings: Sequence[Recording],
    track_ids: Sequence[int],
    samples: Sequence[Sample],
    cache: ExcerptCache,
    audio: Path,
) -> list[TaskResult]:
    """All tasks asked of one system."""
    asking = [i for i, r in enumerate(recordings) if r.role is Role.QUERY]
    similarity = np.zeros((len(recordings), len(recordings)))
    similarity[asking] = similarities(system, [track_ids[i] for i in asking], track_ids)
    path = {s.track_id: audio / recordings[track_ids.index(s.track_id)].track for s in samples}
    listening = ExcerptCache(cache.folder, 24_000)
    repeats: dict[int, Repeats] = {}

    def cut(sample: Sample) -> tuple[Waveform, Waveform]:
        file = path[sample.track_id]
        length_s = duration_s(file)
        first, second = (cache.around(file, share * length_s, HALF_S) for share in (0.25, 0.75))
        return first, second

    def same_sound(sample: Sample, true_s: float, found_s: float) -> bool:
        if sample.track_id not in repeats:
            heard = listening.middle(path[sample.track_id], EXCERPT_S)
            repeats[sample.track_id] = Repeats.of(heard)
        starts_s = repeats[sample.track_id].starts_s(true_s, SECTION_S)
        return bool(np.min(np.abs(starts_s - found_s)) <= tasks.PLACE_TOLERANCE_S)

    return [
        tasks.album_retrieval(similarity, recordings),
        *robustness(system, samples),
        half_against_half(system, samples, cut),
        section_lookup(system, samples, same_sound=same_sound),
    ]


def main() -> None:
    """Parse the command line, index, score and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--encoder", default=encoders.DEFAULT_ENCODER)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--steps", action="store_true", help="a column for each step")
    options = parser.parse_args()

    recordings = [r for r in read_listing(options.list) if r.role is not Role.OUT]
    encoder = Remembering(encoders.load(options.encoder))
    cache = ExcerptCache(options.cache, encoder.info.rate_hz)
    waveforms = [(r, cache.middle(options.audio / r.track, EXCERPT_S)) for r in recordings]
    recipe = Recipe(options.encoder, None, 5.0, 2.5)
    with (
        tempfile.TemporaryDirectory() as home,
        embedded.lease(Path(home)) as held,
        open_store(held.endpoints.database_url) as store,
    ):
        track_ids = fill(store, recipe, encoder, waveforms)
        samples = [
            Sample(
                track_id,
                Path(r.track).name,
                r.album,
                lambda kept=waveform: kept,  # type: ignore[misc]
                partial(cache.transformed, options.audio / r.track, EXCERPT_S),
            )
            for track_id, (r, waveform) in zip(track_ids, waveforms, strict=True)
            if r.robustness
        ]
        space, base = store.spaces.searchable(str(recipe)), store.spaces.base(str(recipe))
        assert space is not None
        assert base is not None
        full = System(
            f"{options.encoder}, all",
            store,
            Settings(home=Path(home)),
            space,
            encoder,
            weights_of(space),
        )
        raw = replace(full, space=base, weights=SONG_ALONE)
        systems = ablation(full, raw) if options.steps else [full]
        results = {
            system.name: score(system, recordings, track_ids, samples, cache, options.audio)
            for system in systems
        }
        embedded.down(Path(home))
    print(f"{encoder.info.name}@{encoder.info.revision}: {len(recordings)} recordings\n")
    print(report.markdown(report.table(results)))
    if len(results) > 1:
        baseline = systems[1 if len(systems) > 3 else 0].name
        print(f"\n{report.markdown(report.differences(results, baseline))}")
    if options.json:
        options.json.write_text(json.dumps(report.as_json(results), indent=1) + "\n")


if __name__ == "__main__":
    main()
