"""MERT-v1, the 95M and the 330M model, from the released checkpoints and without remote code.

releases      what was published, as numbers
weights       where the files are; download and checksums
layers        the choice of hidden states
checkpoint    file → named tensors, checked
hubert        tensors → transformers' model: the reference, and what a GPU runs
fast          tensors → the same numbers sooner on a CPU; with positions and linear
precision     bf16 and int8, and the test that must allow them
encoder       windows → frames

The first three load no torch; the others are imported when an encoder is loaded.
"""

from __future__ import annotations

from functools import partial

from mess_plugin.encoders.base import Encoder, EncoderDescription, EncoderOptions
from mess_plugin.encoders.mert import weights
from mess_plugin.encoders.mert.releases import LICENCE, RATE_HZ, RELEASES, Release
from mess_plugin.model import Float32


def _load(release: Release, options: EncoderOptions) -> Encoder:
    weights.require_libraries(release)
    from mess_plugin.encoders.mert.encoder import load  # noqa: PLC0415

    return load(release, options)


def _test_precision(release: Release, options: EncoderOptions, windows: Float32) -> str:
    weights.require_libraries(release)
    from mess_plugin.encoders.mert.encoder import test_precision  # noqa: PLC0415

    return test_precision(release, options, windows)


def describe(release: Release) -> EncoderDescription:
    """The row of `mess encoders` for one release."""
    return EncoderDescription(
        name=release.name,
        summary=f"MERT-v1 music transformer, {release.n_values / 1e6:.0f} million values",
        licence=LICENCE,
        weights_mb=release.weights_mb,
        dim=release.architecture.dim,
        rate_hz=RATE_HZ,
        speed=release.speed,
        extra="mert",
        runs_on_gpu=True,
        weights_state=partial(weights.weights_state, release),
        load=partial(_load, release),
        download=partial(weights.download, release),
        test_precision=partial(_test_precision, release),
    )


DESCRIPTIONS = tuple(describe(release) for release in RELEASES)
