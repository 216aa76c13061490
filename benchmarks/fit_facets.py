"""Fit the shipped scale of the facets on a list of recordings, without using labels.

    python benchmarks/fit_facets.py LIST AUDIO --cache DIR

Writes mess_plugin/facets/scale.npz: mean and spread of every dimension, the median similarity of
random pairs, and the quantiles of activity. Heard is the middle 60 s of each recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mess_plugin.analysis.pooling import unit
from mess_plugin.evaluation.excerpts import ExcerptCache
from mess_plugin.evaluation.listing import Role, read_listing
from mess_plugin.facets import Facet, energy, harmony
from mess_plugin.facets.extract import described
from mess_plugin.facets.statistics import FACET_RATE_HZ, Sketch, Sketcher
from mess_plugin.model import Float32, Waveform

TARGET = Path(__file__).parents[1] / "mess_plugin" / "facets" / "scale.npz"
EXCERPT_S = 60.0
BLOCK_SAMPLES = 1 << 16
SHRINKAGE = 0.5  # of the covariance towards a multiple of the identity


def sketch_of(waveform: Waveform) -> Sketch:
    """Everything that the facets are computed from. Raises ValueError for silence."""
    sketcher = Sketcher()
    for start in range(0, len(waveform), BLOCK_SAMPLES):
        sketcher.add(waveform[start : start + BLOCK_SAMPLES])
    sketch = sketcher.finish()
    if sketch is None:
        raise ValueError("there is only silence")
    return sketch


def fit(sketches: list[Sketch]) -> dict[str, Float32]:
    """The arrays of scale.npz."""
    arrays: dict[str, Float32] = {}
    each = [described(sketch) for sketch in sketches]
    for facet in each[0]:
        table = np.stack([one[facet] for one in each]).astype(np.float64)
        spread = np.maximum(table.std(axis=0), 1e-3 * max(table.std(axis=0).max(), 1e-9))
        arrays[f"{facet}_mean"], arrays[f"{facet}_scale"] = table.mean(axis=0), spread
        scaled = (table - table.mean(axis=0)) / spread
        if facet is Facet.TIMBRE:
            arrays[f"{facet}_matrix"] = _whitening(scaled)
            scaled = scaled @ arrays[f"{facet}_matrix"]
        vectors = unit(scaled.astype(np.float32))
        arrays[f"{facet}_pairs"] = _median_of_pairs(vectors @ vectors.T)
    harmonies = np.stack([harmony.describe(sketch) for sketch in sketches])
    any_key = np.stack([harmony.similarity(one, harmonies) for one in harmonies])
    arrays[f"{Facet.HARMONY}_pairs"] = _median_of_pairs(any_key)
    arrays[f"{Facet.HARMONY}_exact_pairs"] = _median_of_pairs(harmonies @ harmonies.T)
    signs = np.stack([energy.activity_signs(sketch) for sketch in sketches]).astype(np.float64)
    arrays["activity_mean"], arrays["activity_scale"] = signs.mean(axis=0), signs.std(axis=0)
    values = ((signs - signs.mean(axis=0)) / signs.std(axis=0)).mean(axis=1)
    arrays["activity_quantiles"] = np.quantile(values, np.linspace(0, 1, 41))
    return {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}


def _whitening(scaled: npt.NDArray[np.float64]) -> Float32:
    covariance = np.cov(scaled.T)
    level = np.trace(covariance) / len(covariance)
    values, directions = np.linalg.eigh(
        (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance))
    )
    return np.asarray(directions / np.sqrt(values), dtype=np.float32)


def _median_of_pairs(similarity: Float32) -> Float32:
    return np.asarray(np.median(similarity[np.triu_indices(len(similarity), k=1)]))


def main() -> None:
    """Parse the command line, hear the list and write the scale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    arguments = parser.parse_args()
    cache = ExcerptCache(arguments.cache, FACET_RATE_HZ)
    recordings = [r for r in read_listing(arguments.list) if r.role is not Role.OUT]
    sketches = [
        sketch_of(cache.middle(arguments.audio / recording.track, EXCERPT_S))
        for recording in recordings
    ]
    np.savez(TARGET, allow_pickle=False, **fit(sketches))
    print(f"{len(sketches)} recordings; written to {TARGET}")


if __name__ == "__main__":
    main()
