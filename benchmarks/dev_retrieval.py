"""Score an encoder on a list of recordings: album retrieval, robustness and section lookup.

    python benchmarks/dev_retrieval.py LIST AUDIO --encoder descriptors --cache DIR --json OUT

LIST is a tab-separated list (see mess_plugin.evaluation.listing), AUDIO the folder its tracks lie
under. All audio is the middle 60 s of each recording. Each column of the report is one way to treat
the encoder's vectors; all of them are fitted on the database alone, never on the queries.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mess_plugin import encoders
from mess_plugin.analysis.pooling import project
from mess_plugin.encoders.base import Encoder, EncoderOptions
from mess_plugin.evaluation import report, tasks
from mess_plugin.evaluation.embedding import (
    Embedded,
    embed_recording,
    fit_centring,
    fit_whitening,
    fit_zscore,
)
from mess_plugin.evaluation.excerpts import ExcerptCache, duration_s
from mess_plugin.evaluation.listing import ListedRecording, Role, read_listing
from mess_plugin.evaluation.repeats import Repeats
from mess_plugin.evaluation.tasks import ExcerptPosition, TaskResult
from mess_plugin.evaluation.transforms import TRANSFORMS
from mess_plugin.evaluation.trials import HALF_S, SECTION_S, Section, draw_sections
from mess_plugin.model import Float32, Projection, Waveform

EXCERPT_S = 60.0
SECTION_HOP_S = 5.0

Fit = Callable[[Float32], Projection]
TREATMENTS: dict[str, Fit | None] = {
    "raw": None,
    "centred": fit_centring,
    "z-score": fit_zscore,
    "whitened .9": lambda vectors: fit_whitening(vectors, 0.9),
    "whitened .5": lambda vectors: fit_whitening(vectors, 0.5),
    "whitened .1": lambda vectors: fit_whitening(vectors, 0.1),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything an encoder says about a list, before any treatment.

    songs: (n, dim); windows, window_places: of all recordings together; transformed: name →
    (n_robust, dim); halves: two (n_robust, dim); sections: (n_sections, dim). cpu_s_per_min:
    what encoding and pooling a minute of audio took.
    """

    songs: Float32
    windows: Float32
    window_places: tuple[ExcerptPosition, ...]
    transformed: dict[str, Float32]
    halves: tuple[Float32, Float32]
    sections: Float32
    cpu_s_per_min: float


def middles(
    cache: ExcerptCache, audio: Path, recordings: Sequence[ListedRecording]
) -> list[Waveform]:
    """Decode (or read back) the middle 60 s of each."""
    return [cache.middle(audio / r.track, EXCERPT_S) for r in recordings]


def hear(
    encoder: Encoder,
    cache: ExcerptCache,
    audio: Path,
    recordings: Sequence[ListedRecording],
    waveforms: Sequence[Waveform],
    sections: Sequence[Section],
) -> Heard:
    """Encode all that the tasks need."""
    robust = [r for r in recordings if r.robustness]

    def embed(waveform: Waveform) -> Embedded:
        return embed_recording(encoder, waveform, window_s=SECTION_S, hop_s=SECTION_HOP_S)

    began = time.process_time()
    whole = [embed(w) for w in waveforms]
    cpu_s = time.process_time() - began
    paths = [audio / r.track for r in robust]
    transformed = {
        name: np.stack([embed(cache.transformed(p, EXCERPT_S, name)).song for p in paths])
        for name in TRANSFORMS
    }
    first, second = (
        np.stack([embed(cache.around(p, share * duration_s(p), HALF_S)).song for p in paths])
        for share in (0.25, 0.75)
    )
    return Heard(
        songs=np.stack([e.song for e in whole]),
        windows=np.concatenate([e.windows for e in whole]),
        window_places=tuple(
            ExcerptPosition(i, float(start))
            for i, e in enumerate(whole)
            for start in e.intervals[:, 0]
        ),
        transformed=transformed,
        halves=(first, second),
        sections=np.stack([embed(s.waveform).windows[0] for s in sections]),
        cpu_s_per_min=cpu_s / (sum(map(len, waveforms)) / encoder.info.rate_hz / 60),
    )


def score(
    heard: Heard,
    fit: Fit | None,
    recordings: Sequence[ListedRecording],
    sections: Sequence[Section],
    repeats: dict[int, Repeats],
) -> list[TaskResult]:
    """All tasks on the vectors after one treatment."""
    by_song = fit(heard.songs) if fit else None
    by_window = fit(heard.windows) if fit else None
    robust = [i for i, r in enumerate(recordings) if r.robustness]
    albums = [recordings[i].album for i in robust]
    songs = project(heard.songs, by_song)
    results = [tasks.album_retrieval(songs @ songs.T, recordings)]
    for name, vectors in heard.transformed.items():
        similarity = project(vectors, by_song) @ songs.T
        results.append(tasks.same_recording(name, similarity, robust, albums))
    first, second = (project(half, by_song) for half in heard.halves)
    results.append(tasks.same_recording("halves", first @ second.T, range(len(robust)), albums))

    def same_sound(true: ExcerptPosition, found: ExcerptPosition) -> bool:
        starts_s = repeats[true.recording].starts_s(true.start_s, SECTION_S)
        return bool(np.min(np.abs(starts_s - found.start_s)) <= tasks.PLACE_TOLERANCE_S)

    nearest = (project(heard.sections, by_window) @ project(heard.windows, by_window).T).argmax(
        axis=1
    )
    results.append(
        tasks.section_lookup(
            [heard.window_places[i] for i in nearest],
            [s.place for s in sections],
            [recordings[s.place.recording].album for s in sections],
            same_sound=same_sound,
        )
    )
    return results


def main() -> None:
    """Parse the command line, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--encoder", default=encoders.DEFAULT_ENCODER)
    parser.add_argument("--layers", default=None)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--vectors", type=Path, help="write song vectors here (.npz)")
    arguments = parser.parse_args()

    recordings = [r for r in read_listing(arguments.list) if r.role is not Role.OUT]
    encoder = encoders.load(arguments.encoder, EncoderOptions(layers=arguments.layers))
    cache = ExcerptCache(arguments.cache, encoder.info.rate_hz)
    waveforms = middles(cache, arguments.audio, recordings)
    robust = [i for i, r in enumerate(recordings) if r.robustness]
    sections = [
        section
        for i in robust
        for section in draw_sections(waveforms[i], cache.rate_hz, i, recordings[i].track)
    ]
    listening = ExcerptCache(arguments.cache, 24_000)
    repeats = {
        i: Repeats.of(listening.middle(arguments.audio / recordings[i].track, EXCERPT_S))
        for i in robust
    }
    heard = hear(encoder, cache, arguments.audio, recordings, waveforms, sections)
    results = {
        name: score(heard, fit, recordings, sections, repeats) for name, fit in TREATMENTS.items()
    }
    print(f"{encoder.info.name}@{encoder.info.revision}: {len(recordings)} recordings,", end=" ")
    print(f"{heard.cpu_s_per_min:.2f} CPU s per minute of audio\n")
    print(report.markdown(report.table(results)))
    print()
    print(report.markdown(report.differences(results, "raw")))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(results), indent=1) + "\n")
    if arguments.vectors:
        np.savez(arguments.vectors, songs=heard.songs, tracks=[r.track for r in recordings])


if __name__ == "__main__":
    main()
