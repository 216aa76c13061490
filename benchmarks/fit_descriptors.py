"""Fit the typical value and spread of each descriptor, which scale the encoder's frames.

    python benchmarks/fit_descriptors.py LIST AUDIO --cache DIR

LIST and AUDIO as in dev_retrieval.py. Writes descriptors_scale.npz into mess_plugin/features. No
labels are used. Whoever runs it on another list has to give the encoder a new revision.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mess_plugin import features
from mess_plugin.encoders.descriptors import INFO, describe_window
from mess_plugin.evaluation.excerpts import ExcerptCache
from mess_plugin.evaluation.listing import Role, read_listing
from mess_plugin.model import Float32, Waveform

EXCERPT_S = 60.0
SCALE_FILE = Path(features.__file__).with_name("descriptors_scale.npz")


def describe(waveform: Waveform) -> Float32:
    """Unscaled frames of all whole windows, or of the one short window there is."""
    length = min(len(waveform), round(INFO.window_s * INFO.rate_hz))
    whole = len(waveform) // length * length
    return np.concatenate([describe_window(w) for w in waveform[:whole].reshape(-1, length)])


def main() -> None:
    """Parse the command line, fit and write."""
    parser = argparse.ArgumentParser(description="Fit the scale of the descriptors.")
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    arguments = parser.parse_args()
    cache = ExcerptCache(arguments.cache, INFO.rate_hz)
    tracks = [r.track for r in read_listing(arguments.list) if r.role is not Role.OUT]
    frames = np.concatenate(
        [describe(cache.middle(arguments.audio / track, EXCERPT_S)) for track in tracks]
    ).astype(np.float64)
    mean, scale = frames.mean(axis=0), frames.std(axis=0)
    np.savez(SCALE_FILE, mean=mean.astype(np.float32), scale=scale.astype(np.float32))
    print(f"{len(frames)} frames of {len(tracks)} recordings → {SCALE_FILE}")


if __name__ == "__main__":
    main()
