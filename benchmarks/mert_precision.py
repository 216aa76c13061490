"""How well rounded MERT agrees with exact MERT on real music, with random weights.

    OMP_NUM_THREADS=1 python -m benchmarks.mert_precision FOLDER [--windows 64] [--precision int8]

The middle 5 s of evenly chosen recordings below FOLDER go through MERT-95M up to state 6, and the mean
frames are compared as `mess encoders test` does. The second line is a stress: five channels of every
layer are twelve times as large and three units of every feed-forward part ten times, as trained
transformers have them, only more.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import numpy as np
import torch

from mess_plugin.encoders.mert import encoder, fast, hubert, precision
from mess_plugin.encoders.mert.releases import MERT_95M, RATE_HZ, WINDOW_S
from mess_plugin.model import Float32
from mess_plugin.pretraining.prepare import load_waveform
from tests.mert_checkpoint import random_tensors

STATES = (6,)
SUFFIXES = (".ogg", ".opus", ".mp3", ".flac", ".wav")
LARGE_CHANNELS, LARGE_UNITS = [7, 99, 300, 512, 700], [3, 1000, 2222]


def middles(folder: Path, n_windows: int) -> Float32:
    """(n, n_samples) from the middle of recordings that are long enough."""
    n_samples = round(WINDOW_S * RATE_HZ)
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    found: list[Float32] = []
    for path in paths[:: max(1, len(paths) // (n_windows + 10))]:
        waveform = load_waveform(path, WINDOW_S + 0.1)
        if len(waveform) >= n_samples and len(found) < n_windows:
            found.append(waveform[:n_samples])
    return np.stack(found)


def stressed(tensors: fast.Tensors) -> fast.Tensors:
    """The same weights with a few channels and units that are far larger than the others."""
    changed = dict(tensors)
    for name, tensor in tensors.items():
        if name.startswith("encoder.layers.") and name.endswith("layer_norm.weight"):
            changed[name] = tensor.clone()
            changed[name][LARGE_CHANNELS] *= 12.0
        if name.endswith("intermediate_dense.weight"):
            changed[name] = tensor.clone()
            changed[name][LARGE_UNITS] *= 10.0
    return changed


def pooled(tensors: fast.Tensors, chosen: str, windows: Float32) -> Float32:
    """(n, dim) mean frames at one precision."""
    products = precision.products(chosen)
    forward = fast.build(MERT_95M.architecture, tensors, STATES, products)
    waveforms = encoder.normalise(torch.from_numpy(windows))
    return np.stack([forward(waveform[None])[0].mean(dim=0).numpy() for waveform in waveforms])


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--windows", default=64, show_default=True)
@click.option("--precision", "chosen", default="int8", show_default=True)
def main(folder: Path, windows: int, chosen: str) -> None:
    """Print both comparisons."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    heard = middles(folder, windows)
    tensors = hubert.checked(MERT_95M, random_tensors(MERT_95M.architecture))
    for name, weights in (("random weights", tensors), ("with outliers", stressed(tensors))):
        found = precision.agreement(pooled(weights, "fp32", heard), pooled(weights, chosen, heard))
        click.echo(f"{name}: {found}; {'passes' if found.passes else 'fails'}")


if __name__ == "__main__":
    main()
