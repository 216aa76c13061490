"""Frames of any format → float32 blocks of all channels → one channel.

The mix is the mean of all channels but those of low-frequency effects. Where that loses most of the
sound, because channels hold the same with opposite signs (a wrong cable, a widening effect, the side
channel of a recording), it is the mean of the channels turned the same way instead. That is decided
second by second of the recording, on a grid that does not depend on where decoding started, and the
change takes 20 ms: no pass over the whole file is needed, and whatever the mean keeps is mixed as
ever, to the last bit.
"""

from __future__ import annotations

from typing import Self

import msgspec
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from mess_plugin.model import Float32, Waveform

Samples = Float32
"""(n_channels, n_samples) float32, nominally in [-1, 1]."""

_LOW_FREQUENCY_CHANNELS = frozenset({"LFE", "LFE2"})
_LOST, _FOUND = 0.1, 0.3
_AUDIBLE_POWER = 1e-8  # -80 dB re full scale
_FADE_S = 0.02
_WHOLE_NUMBERS = {"u8": 8, "s16": 16, "s32": 32}  # bits by sample format
_NUMPY_FORMATS = frozenset({*_WHOLE_NUMBERS, "flt", "dbl"})
MOST_PLANES = 7
"""Of more, PyAV reads one too many, from memory that is none of the frame's."""


class FrameFormat(msgspec.Struct, frozen=True):
    """What may change between two decoded frames and then begins a new run."""

    rate_hz: int
    sample_format: str
    layout: str
    channel_names: tuple[str, ...]
    n_channels: int

    @classmethod
    def of(cls, frame: AudioFrame) -> Self:
        """Give the format of a decoded frame."""
        layout = frame.layout
        names = tuple(channel.name for channel in layout.channels)
        name = layout.name if names else f"{layout.nb_channels}C"
        return cls(frame.sample_rate, frame.format.name, name, names, layout.nb_channels)

    def is_of(self, frame: AudioFrame) -> bool:
        """Whether a frame has this format, without taking its layout apart."""
        return (
            frame.sample_rate == self.rate_hz
            and frame.format.name == self.sample_format
            and frame.layout.nb_channels == self.n_channels
            and (not self.channel_names or frame.layout.name == self.layout)
        )

    def heard_channels(self) -> list[int]:
        """All channels but those of low-frequency effects, unless there are no others."""
        everything = list(range(self.n_channels))
        names = self.channel_names or ("",) * self.n_channels
        heard = [i for i in everything if names[i] not in _LOW_FREQUENCY_CHANNELS]
        return heard or everything


class FrameJoiner:
    """Collects frames of one format, so that arrays are long enough to be worth a call."""

    def __init__(self, form: FrameFormat) -> None:
        self.n_samples = 0
        self._form = form
        self._base = form.sample_format.removesuffix("p")
        self._packed = self._base == form.sample_format
        self._fifo = AudioFifo()
        self._parts: list[np.ndarray] = []
        self._converter: AudioResampler | None = None
        planar_and_wide = not self._packed and form.n_channels > MOST_PLANES
        if self._base not in _NUMPY_FORMATS or planar_and_wide:
            self._converter = AudioResampler("flt")
            self._base, self._packed = "flt", True

    def add(self, frame: AudioFrame) -> None:
        """Take one frame; its time stamp is cleared."""
        self.n_samples += frame.samples
        if self._converter is None:
            self._write(frame)
        else:
            for converted in self._converter.resample(frame):
                self._write(converted)

    def take(self) -> Samples:
        """All that was added since the last time."""
        self._drain()
        if not self._parts:
            return np.zeros((self._form.n_channels, 0), dtype=np.float32)
        joined = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts, axis=1)
        self._parts, self.n_samples = [], 0
        if self._packed:
            joined = joined.reshape(-1, self._form.n_channels).T
        floats = np.ascontiguousarray(joined, dtype=np.float32)
        bits = _WHOLE_NUMBERS.get(self._base)
        if bits is None:
            return floats
        if bits == 8:
            floats -= 128
        floats *= np.float32(2.0 ** (1 - bits))
        return floats

    def _write(self, frame: AudioFrame) -> None:
        frame.pts = None  # or the queue would demand that there are no gaps
        try:
            self._fifo.write(frame)
        except ValueError:  # another time base, at the next part of a chained file
            self._drain()
            self._fifo = AudioFifo()
            self._fifo.write(frame)

    def _drain(self) -> None:
        joined = self._fifo.read()
        if joined is not None:
            self._parts.append(joined.to_ndarray())


class Downmix:
    """Mixes the blocks of one run; what it did last decides where a change has to be faded."""

    def __init__(self, form: FrameFormat) -> None:
        self._heard = form.heard_channels()
        self._mean = np.full(len(self._heard), 1 / len(self._heard), dtype=np.float32)
        self._gains = self._mean
        self._began = False
        self.has_turned = False
        """Whether the channels cancelled anywhere, so that some were turned."""
        self._fade_samples = max(1, round(_FADE_S * form.rate_hz))

    def mix(self, samples: Samples) -> Waveform:
        """(n_channels, n) → (n,) float32."""
        heard = samples if len(self._heard) == len(samples) else samples[self._heard]
        mean = _weighted(heard, self._mean)
        gains = self._chosen(heard, mean)
        if gains is self._mean and self._gains is self._mean:
            self._began = True
            return mean
        self.has_turned |= gains is not self._mean
        mixed = mean if gains is self._mean else _weighted(heard, gains)
        if gains is not self._gains and self._began:
            n = min(self._fade_samples, len(mixed))
            rise = (np.arange(n, dtype=np.float32) + 1) / np.float32(self._fade_samples)
            before = _weighted(heard[:, :n], self._gains)
            mixed[:n] = before + (mixed[:n] - before) * rise
        self._gains, self._began = gains, True
        return mixed

    def _chosen(self, heard: Samples, mean: Waveform) -> Float32:
        """The mean's gains, or the same with signs where the mean loses what the channels hold.

        The measure is the power of the mean in parts of what it would keep of channels that have
        nothing in common: the mean power of the channels, divided by their number. In phase it is the
        number of channels, and 0 where everything cancels. Below _LOST the signs change; they stay so
        until it rises above _FOUND.
        """
        if len(heard) == 1:
            return self._mean
        power = np.array([_power(channel) for channel in heard])
        kept = _power(mean) / max(power.mean() / len(heard), 1e-30)
        usual = self._gains is self._mean
        if power.mean() < _AUDIBLE_POWER or kept >= (_LOST if usual else _FOUND):
            return self._mean
        strongest = heard[int(np.argmax(power))]
        together = np.array([float(np.dot(channel, strongest)) for channel in heard])
        gains = np.where(together < 0, -self._mean, self._mean)
        towards = float(gains @ self._gains)
        if towards < 0 or (towards == 0 and gains[0] < 0):
            gains = -gains  # turned as before, or else as the first channel
        return self._gains if np.array_equal(gains, self._gains) else gains


def _power(samples: Waveform) -> float:
    return float(np.dot(samples, samples)) / max(1, len(samples))


def _weighted(samples: Samples, gains: Float32) -> Waveform:
    """Channel after channel, in this order: FFmpeg's mixing gave the same bits."""
    mixed: Waveform = samples[0] * gains[0]
    for channel, gain in zip(samples[1:], gains[1:], strict=True):
        mixed += channel * gain
    return mixed
