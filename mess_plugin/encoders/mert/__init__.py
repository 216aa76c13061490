"""MERT-v1, the 95M and the 330M model, from the released checkpoints and without remote code.

releases      what was published, as numbers
weights       where the files are; download and checksums
layers        the choice of hidden states
checkpoint    file → named tensors, checked
hubert        tensors → model
encoder       windows → frames

Only the last three import torch and transformers, and nothing here imports them early.
"""

from __future__ import annotations

from functools import partial

from mess_plugin.encoders.base import Encoder, EncoderDescription, EncoderOptions
from mess_plugin.encoders.mert import weights
from mess_plugin.encoders.mert.releases import LICENCE, RATE_HZ, RELEASES, Release


def _load(release: Release, options: EncoderOptions) -> Encoder:
    weights.require_libraries(release)
    from mess_plugin.encoders.mert.encoder import load  # noqa: PLC0415

    return load(release, options)


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
        weights_state=partial(weights.weights_state, release),
        load=partial(_load, release),
        download=partial(weights.download, release),
    )


DESCRIPTIONS = tuple(describe(release) for release in RELEASES)
