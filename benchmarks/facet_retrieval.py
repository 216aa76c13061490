"""Album retrieval by each facet alone, by all together, and beside an encoder's song vector.

python benchmarks/facet_retrieval.py LIST AUDIO --encoder descriptors --cache DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mess_plugin import encoders
from mess_plugin.analysis.pooling import project
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.evaluation import report, tasks
from mess_plugin.evaluation.embedding import embed_recording, fit_whitening
from mess_plugin.evaluation.excerpts import ExcerptCache
from mess_plugin.evaluation.listing import Role, read_listing
from mess_plugin.evaluation.trials import SECTION_S
from mess_plugin.facets import Facet, Loudness, scale
from mess_plugin.facets.extract import summarise
from mess_plugin.facets.statistics import FACET_RATE_HZ, Sketcher
from mess_plugin.model import Float32

EXCERPT_S = 60.0
FEEL = "feel"
WEIGHTS: dict[str, dict[str, float]] = {
    FEEL: {FEEL: 1},
    **{facet.value: {facet.value: 1} for facet in Facet},
    "all facets": dict.fromkeys(map(str, Facet), 1.0),
    "feel + all, .05 each": {FEEL: 1, **dict.fromkeys(map(str, Facet), 0.05)},
    "feel + all, .1 each": {FEEL: 1, **dict.fromkeys(map(str, Facet), 0.1)},
    "feel + all, .2 each": {FEEL: 1, **dict.fromkeys(map(str, Facet), 0.2)},
    "feel + all, 1 each": {FEEL: 1, **dict.fromkeys(map(str, Facet), 1.0)},
}


def main() -> None:
    """Parse the command line, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--encoder", default="descriptors")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    arguments = parser.parse_args()
    recordings = [r for r in read_listing(arguments.list) if r.role is not Role.OUT]
    encoder = encoders.load(arguments.encoder, EncoderOptions())
    own, shared = (
        ExcerptCache(arguments.cache, rate) for rate in (encoder.info.rate_hz, FACET_RATE_HZ)
    )
    songs: list[Float32] = []
    facets: dict[Facet, list[Float32]] = {facet: [] for facet in Facet}
    for recording in recordings:
        path = arguments.audio / recording.track
        waveform = own.middle(path, EXCERPT_S)
        songs.append(embed_recording(encoder, waveform, window_s=SECTION_S, hop_s=SECTION_S).song)
        sketcher = Sketcher()
        sketcher.add(shared.middle(path, EXCERPT_S))
        sketch = sketcher.finish()
        assert sketch is not None, f"{path} is silent"
        for facet, vector in summarise(sketch, Loudness(None, None)).vectors.items():
            facets[facet].append(vector)
    similarity: dict[str, Float32] = {}
    stacked = np.stack(songs)
    if not encoder.projections:
        stacked = project(stacked, fit_whitening(stacked, 0.9))
    similarity[FEEL] = np.clip(stacked @ stacked.T, 0, 1)
    for facet, vectors in facets.items():
        table = np.stack(vectors)
        similarity[facet.value] = np.stack([scale.similarity(facet, v, table) for v in table])
    results = {
        name: [
            tasks.album_retrieval(
                np.sum([w * similarity[aspect] for aspect, w in weights.items()], axis=0)
                / sum(weights.values()),
                recordings,
            )
        ]
        for name, weights in WEIGHTS.items()
    }
    print(report.markdown(report.table(results)))
    print()
    print(report.markdown(report.differences(results, FEEL)))


if __name__ == "__main__":
    main()
