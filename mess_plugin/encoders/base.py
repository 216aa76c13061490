"""What an encoder is: windows of a waveform in, frames out, and an honest label on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from mess_plugin.model import Float32, Level, Projection


class EncoderInfo(msgspec.Struct, frozen=True):
    """What the rest of MESS must know of a loaded encoder.

    rate_hz: sample rate it wants. window_s, hop_s: the excerpts it is fed; the last one ends at the
    end of the recording and nothing is ever zero-padded. min_s: the shortest excerpt it accepts.
    dim: width of its frames. layers, pooling ("mean" or "mean+std"): part of the space's identity.
    """

    name: str
    revision: str
    rate_hz: int
    window_s: float
    hop_s: float
    min_s: float
    dim: int
    layers: str
    pooling: str
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
    """How to load an encoder: every field has a default that works.

    layers: which hidden states to use, e.g. "6", "4-8", "6,7"; None for the encoder's own default.
    threads: intra-operation threads; indexing runs one single-threaded worker per core.
    device: "cpu", "cuda" or "auto". weights: a local directory instead of the standard places.
    precision: "fp32" is exact; "bf16" and "int8", where an encoder has them, are faster, live in a
    space of their own and must have passed `EncoderDescription.test_precision` on this machine.
    """

    layers: str | None = None
    threads: int = 1
    device: str = "cpu"
    weights: Path | None = None
    precision: str = "fp32"


class WeightsState(msgspec.Struct, frozen=True):
    """Whether an encoder can run on this machine. `detail` says where from, or what to do."""

    ready: bool
    detail: str


class EncoderDescription(msgspec.Struct, frozen=True):
    """A row of `mess encoders`, available without loading anything heavy.

    weights_mb: 0 where there are none. weights_state(directory): in a directory of the user's own, or
    in the standard places where that is None. speed: a rough class for people. extra: the optional
    dependency group that brings its libraries, None where the base install is enough. runs_on_gpu:
    whether it does where options.device says so.
    download: fetches the weights after the licence was accepted; None where there is nothing to.
    test_precision: compares options.precision with fp32 on windows of the user's music, returns the
    result for people, and allows that precision on this machine; raises EncoderError where the two
    do not agree. None where an encoder is always exact.
    """

    name: str
    summary: str
    licence: str
    weights_mb: float
    dim: int
    rate_hz: int
    speed: str
    extra: str | None
    weights_state: Callable[[Path | None], WeightsState]
    load: Callable[[EncoderOptions], Encoder]
    runs_on_gpu: bool = False
    download: Callable[[], Path] | None = None
    test_precision: Callable[[EncoderOptions, Float32], str] | None = None
