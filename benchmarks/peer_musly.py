"""Score musly's timbre method on a list of recordings, on the audio that dev_retrieval.py hears.

    pip install pymusly==2.0.0
    python benchmarks/peer_musly.py LIST AUDIO --cache DIR

musly (Schnitzer, MIT licence for the bindings, MPL 2.0 for the library) models each recording as
one Gaussian of cepstra and compares them with mutual proximity; the style is set from the database.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pymusly

from mess_plugin.evaluation import report, tasks
from mess_plugin.evaluation.codec import through_filters
from mess_plugin.evaluation.excerpts import ExcerptCache, duration_s
from mess_plugin.evaluation.listing import Role, read_listing
from mess_plugin.evaluation.metrics import Floats
from mess_plugin.evaluation.transforms import TRANSFORMS
from mess_plugin.model import Waveform

EXCERPT_S, HALF_S = 60.0, 30.0
RATE_HZ = 24_000
MUSLY_RATE_HZ = 22_050


class Musly:
    """A jukebox whose style is the database."""

    def __init__(self, database: Sequence[Waveform]) -> None:
        self._jukebox = pymusly.MuslyJukebox("timbre", "none")
        tracks = [self._track(w) for w in database]
        self._jukebox.set_style(tracks)
        self._database = self._add(tracks)

    def _track(self, waveform: Waveform) -> pymusly.MuslyTrack:
        resampled = through_filters(waveform, RATE_HZ, ("aresample", str(MUSLY_RATE_HZ)))
        return self._jukebox.track_from_audiodata(resampled.tolist())

    def _add(self, tracks: list[pymusly.MuslyTrack]) -> list[tuple[int, pymusly.MuslyTrack]]:
        return list(zip(self._jukebox.add_tracks(tracks), tracks, strict=True))

    def similarity(
        self, queries: Sequence[Waveform] | None, database: Sequence[Waveform] | None = None
    ) -> Floats:
        """Negative distances (n_queries, n_database); None stands for the database itself."""
        asked = self._database if queries is None else self._add([self._track(w) for w in queries])
        others = (
            self._database if database is None else self._add([self._track(w) for w in database])
        )
        return -np.array([self._jukebox.compute_similarity(q, others) for q in asked])


def main() -> None:
    """Parse the command line, score and print."""
    parser = argparse.ArgumentParser(description="Score musly's timbre method.")
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    arguments = parser.parse_args()
    recordings = [r for r in read_listing(arguments.list) if r.role is not Role.OUT]
    cache = ExcerptCache(arguments.cache, RATE_HZ)
    waveforms = [cache.middle(arguments.audio / r.track, EXCERPT_S) for r in recordings]
    robust = [i for i, r in enumerate(recordings) if r.robustness]
    albums = [recordings[i].album for i in robust]
    paths = [arguments.audio / recordings[i].track for i in robust]
    began = time.process_time()
    musly = Musly(waveforms)
    cpu_s = (time.process_time() - began) / (sum(map(len, waveforms)) / RATE_HZ / 60)
    results = [tasks.album_retrieval(musly.similarity(None), recordings)]
    for name in TRANSFORMS:
        changed = [cache.transformed(p, EXCERPT_S, name) for p in paths]
        results.append(tasks.same_recording(name, musly.similarity(changed), robust, albums))
    first, second = (
        [cache.around(p, share * duration_s(p), HALF_S) for p in paths] for share in (0.25, 0.75)
    )
    similarity = musly.similarity(first, second)
    results.append(tasks.same_recording("halves", similarity, range(len(robust)), albums))
    print(f"musly timbre: {len(recordings)} recordings, {cpu_s:.2f} CPU s per minute of audio\n")
    print(report.markdown(report.table({"musly timbre": results})))


if __name__ == "__main__":
    main()
