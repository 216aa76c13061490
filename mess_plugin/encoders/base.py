"""What an encoder is: windows of a waveform in, frames out, and an honest label on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from mess_plugin.model import Float32, Level, Projection


class EncoderInfo(msgspec.Struct, frozen=True):
    """What the rest of MESS must know of a loaded encoder."""

    name: str
    revision: str
    """Changes with the vectors that it gives."""
    rate_hz: int
    """The sample rate that it wants."""
    window_s: float
    """The excerpts that it is given; the last one ends at the end of the recording."""
    hop_s: float
    """From the start of one excerpt to that of the next. Nothing is ever padded with zeros."""
    min_s: float
    """The shortest excerpt that it takes; every longer length works."""
    dim: int
    """Width of its frames."""
    layers: str
    pooling: str
    """ "mean" or "mean+std"; like the layers part of the identity of the space."""
    licence: str


class Encoder(Protocol):
    """Windows → frames."""

    @property
    def info(self) -> EncoderInfo:
        """The label."""
        ...

    @property
    def projections(self) -> Mapping[Level, Projection]:
        """Post-processing fitted once and shipped with the weights; empty if there is none.

        An encoder without it gets a projection that is fitted on the user's library.
        """
        ...

    def encode(self, windows: Float32) -> Float32:
        """Encode equally long windows.

        windows: (n_windows, n_samples) float32 mono at `info.rate_hz`, n_samples >= min_s * rate.
        Returns (n_windows, n_frames, dim) float32, frames evenly spread over each window,
        n_frames >= 1. Empty input (n_windows = 0) returns an array of shape (0, 0, dim).
        The result for a window does not depend on its neighbours in the batch.
        """
        ...


class EncoderOptions(msgspec.Struct, frozen=True):
    """How to load an encoder: every field has a default that works."""

    layers: str | None = None
    """Which hidden states to use, e.g. "6", "4-8", "6,7"; None for the encoder's own default."""
    threads: int = 1
    """Of one operation: indexing runs one single-threaded worker per core."""
    device: str = "cpu"
    """ "cpu", "cuda" or "auto"."""
    weights: Path | None = None
    """A local directory in place of the standard places."""
    precision: str = "fp32"
    """ "fp32" is exact; "bf16" and "int8", where an encoder has them, are faster, live in a space of
    their own and must have passed `EncoderDescription.test_precision` on this machine."""


class WeightsState(msgspec.Struct, frozen=True):
    """Whether an encoder can run on this machine."""

    ready: bool
    detail: str
    """Where the weights are, or what to do."""


class EncoderDescription(msgspec.Struct, frozen=True):
    """A row of `mess encoders`, available without loading anything heavy."""

    name: str
    summary: str
    licence: str
    weights_mb: float
    """0 where there are none."""
    dim: int
    rate_hz: int
    speed: str
    """A rough class, for people."""
    extra: str | None
    """The optional dependencies that it needs; None where the base install is enough."""
    weights_state: Callable[[Path | None], WeightsState]
    """Looks in a directory of the user's own, or in the standard places where that is None."""
    load: Callable[[EncoderOptions], Encoder]
    runs_on_gpu: bool = False
    """Whether it does where `EncoderOptions.device` says so."""
    download: Callable[[], Path] | None = None
    """Fetches the weights after the licence was accepted; None where there is nothing to fetch."""
    test_precision: Callable[[EncoderOptions, Float32], str] | None = None
    """Compares `EncoderOptions.precision` with fp32 on windows of the user's music, returns the result
    for people, and allows that precision on this machine; raises EncoderError where the two do not
    agree. None where an encoder is always exact."""
