"""Transformations after which a recording should still be found: noise, codec, pitch, tempo, level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mess_plugin.evaluation.codec import through_filters, through_mp3
from mess_plugin.model import Waveform

SEMITONE = 2 ** (1 / 12)
LOW_PASS_HZ = 4000

Transform = Callable[[Waveform, int, np.random.Generator], Waveform]
"""(waveform, rate_hz, source of chance) → waveform at the same rate; the length may change."""


def gain(waveform: Waveform, gain_db: float) -> Waveform:
    """Make a waveform louder or quieter by so many dB; nothing is clipped."""
    return (waveform * np.float32(10 ** (gain_db / 20))).astype(np.float32)


def add_noise(
    waveform: Waveform, rng: np.random.Generator, *, below_db: float, pink: bool
) -> Waveform:
    """White or pink Gaussian noise whose power lies so many dB below that of the waveform."""
    noise = rng.standard_normal(len(waveform))
    if pink:  # power falls by 3 dB per octave; nothing below the first bin
        spectrum = np.fft.rfft(noise)
        spectrum[0] = 0
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        noise = np.fft.irfft(spectrum, len(waveform))
    signal_power = float(np.mean(np.square(waveform, dtype=np.float64)))
    noise_power = float(np.mean(np.square(noise)))
    scale = np.sqrt(signal_power * 10 ** (-below_db / 10) / max(noise_power, 1e-30))
    return np.asarray(waveform + scale * noise, np.float32)


def stretch(waveform: Waveform, rate_hz: int, factor: float) -> Waveform:
    """Faster by `factor` at the same pitch (FFmpeg's atempo)."""
    return through_filters(waveform, rate_hz, ("atempo", f"{factor:.6f}"))


def transpose(waveform: Waveform, rate_hz: int, ratio: float) -> Waveform:
    """Higher by a frequency ratio at the same tempo (FFmpeg's asetrate, then atempo)."""
    played_hz = round(rate_hz * ratio)
    return through_filters(
        waveform,
        rate_hz,
        ("asetrate", str(played_hz)),
        ("aresample", str(rate_hz)),
        ("atempo", f"{rate_hz / played_hz:.6f}"),
    )


def low_pass(waveform: Waveform, rate_hz: int, cutoff_hz: float = LOW_PASS_HZ) -> Waveform:
    """Three two-pole low-pass filters, one after the other."""
    once = ("lowpass", f"frequency={cutoff_hz:g}:poles=2")
    return through_filters(waveform, rate_hz, once, once, once)


TRANSFORMS: dict[str, Transform] = {
    "mp3": lambda x, rate_hz, _: through_mp3(x, rate_hz, 64_000),
    "pitch": lambda x, rate_hz, _: transpose(x, rate_hz, SEMITONE),
    "faster": lambda x, rate_hz, _: stretch(x, rate_hz, 1.06),
    "slower": lambda x, rate_hz, _: stretch(x, rate_hz, 0.94),
    "pink": lambda x, _, rng: add_noise(x, rng, below_db=10, pink=True),
    "low-pass": lambda x, rate_hz, _: low_pass(x, rate_hz),
    "gain": lambda x, _, __: gain(x, -12),
}
"""The robustness task's transformations by name."""


def degrade(waveform: Waveform, rate_hz: int, rng: np.random.Generator) -> Waveform:
    """Wear out an excerpt: 6 dB down, white noise 25 dB below it, MP3 at 96 kbit/s."""
    noisy = add_noise(gain(waveform, -6), rng, below_db=25, pink=False)
    return through_mp3(noisy, rate_hz, 96_000)
