"""The spectra that mess-mini listens to: log-mel bands and semitone bands, in plain NumPy.

One frame of the encoder (`FRAME_SAMPLES`, a quarter of a second) covers `MELS_PER_FRAME` log-mel
spectra and `TONES_PER_FRAME` semitone spectra. Every window is scaled to the same level first, so
that the gain of a recording does not matter.

The mel bands are those of MusiCNN (Pons and Serra, 2019: 96 bands up to 8 kHz, log10(1 + 10^4 p)),
computed at 24 kHz on the same grid of frequencies; the semitone bands stand in for a constant-Q
transform (Brown, 1991): below `SPLIT_HZ` they are read from a long transform of the decimated
signal, above it from the short one.
"""

from __future__ import annotations

import math
from functools import cache

import msgspec
import numpy as np

from mess_plugin.features.decimation import Decimator
from mess_plugin.features.power import mean_square
from mess_plugin.features.spectra import weighted_power
from mess_plugin.model import Float32

RATE_HZ = 24_000
FRAME_SAMPLES = 6_000  # 0.25 s
LEVEL_RMS = 0.1  # every window is brought to this level …
MAX_GAIN = 1e4  # … but digital silence and the faintest noise stay faint

N_MELS = 96
MEL_FFT = 768  # 31.25 Hz per bin, the grid of 512 samples at 16 kHz
MEL_HOP = 375  # 64 spectra per second
MELS_PER_FRAME = FRAME_SAMPLES // MEL_HOP
MEL_TOP_HZ = 8_000.0
_LEFT_SAMPLES = (MEL_FFT - MEL_HOP) // 2  # that the first spectrum reaches beyond its hop
MEL_BINS = 257  # bins up to MEL_TOP_HZ
MEL_POWER_SCALE = (512 / MEL_FFT) ** 2  # power as if measured with 512 samples at 16 kHz

N_TONES = 96  # eight octaves of semitones
LOWEST_TONE_HZ = 32.703  # C1
SPLIT_HZ = 1_000.0
DECIMATION = 4
TONE_FFT = 2_048  # of the decimated signal: 2.93 Hz per bin
TONE_HOP = 1_500  # 16 spectra per second
TONES_PER_FRAME = FRAME_SAMPLES // TONE_HOP
TONE_SCALE = 4.0  # chosen so that both kinds of spectra have the same range
DECIMATION_TAPS = 64


class MiniSpectra(msgspec.Struct, frozen=True):
    """What one window looks like.

    mel: (n_frames * MELS_PER_FRAME, N_MELS) float32, log10 power above a floor, at least 0.
    tones: (n_frames * TONES_PER_FRAME, N_TONES) float32, the same for semitones.
    """

    mel: Float32
    tones: Float32


def spectra(window: Float32) -> MiniSpectra:
    """Spectra of one window.

    window: (n_samples,) float32 mono at RATE_HZ with at least FRAME_SAMPLES samples; what is left
    after the last whole frame is not heard.
    """
    padded = _reflected(window)
    padded *= np.float32(level_gain(window))
    return _spectra(padded, len(window))


def level_gain(window: Float32) -> float:
    """The factor that brings a window to the common level."""
    return min(LEVEL_RMS / max(math.sqrt(mean_square(window)), 1e-12), MAX_GAIN)


def scaled_spectra(scaled: Float32) -> MiniSpectra:
    """Spectra of a window as loud as it is."""
    return _spectra(_reflected(scaled), len(scaled))


def _reflected(window: Float32) -> Float32:
    """A copy with what the first and the last spectra reach beyond it."""
    return np.pad(window, (_LEFT_SAMPLES, MEL_FFT - MEL_HOP - _LEFT_SAMPLES), mode="reflect")


def _spectra(reflected: Float32, n_samples: int) -> MiniSpectra:
    n_frames = n_samples // FRAME_SAMPLES
    power = _power(reflected, _mel_taper(), MEL_HOP, n_frames * MELS_PER_FRAME, MEL_BINS)
    mel = _logarithm(power @ mel_bands())
    low, high = tone_bands()
    n_tones, hop = n_frames * TONES_PER_FRAME, TONE_HOP // DECIMATION
    before = reflected[_LEFT_SAMPLES - DECIMATION_TAPS // 2 :]
    decimated = _decimator()(before, n_samples // DECIMATION + 1)
    left = (TONE_FFT - hop) // 2
    right = max(0, (n_tones - 1) * hop + TONE_FFT - left - len(decimated))
    decimated = np.pad(decimated, (left, right), mode="reflect")
    long_power = _power(decimated, _hann(TONE_FFT), hop, n_tones, len(low))
    short_power = power.reshape(-1, MELS_PER_FRAME // TONES_PER_FRAME, MEL_BINS).mean(axis=1)
    tones = np.concatenate([long_power @ low, short_power @ high], axis=1)
    return MiniSpectra(mel, _logarithm(tones))


def _logarithm(power: Float32) -> Float32:
    """log10(1 + 10^4 power), by the natural logarithm, which NumPy has in vector instructions."""
    power *= np.float32(1e4)
    power += np.float32(1)
    result: Float32 = np.log(power, out=power)
    result *= np.float32(1 / np.log(10))
    return result


def _power(padded: Float32, taper: Float32, hop: int, n: int, n_bins: int) -> Float32:
    """(n, n_bins) power of n weighted excerpts, a hop apart from the first sample on, lowest bins."""
    excerpts = np.lib.stride_tricks.sliding_window_view(padded, len(taper))
    return weighted_power(excerpts[: (n - 1) * hop + 1 : hop], taper, n_bins)


@cache
def _mel_taper() -> Float32:
    return _hann(MEL_FFT) * np.float32(math.sqrt(MEL_POWER_SCALE))


@cache
def _hann(size: int) -> Float32:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


@cache
def _decimator() -> Decimator:
    """Gives the sound at RATE_HZ / DECIMATION."""
    return Decimator(_low_pass(), DECIMATION)


@cache
def _low_pass() -> Float32:
    """A Hann-weighted sinc that passes what lies below 0.8 of the new Nyquist frequency."""
    at = np.arange(DECIMATION_TAPS) - DECIMATION_TAPS / 2
    taps = np.sinc(at * 0.8 / DECIMATION) * _hann(DECIMATION_TAPS)
    result: Float32 = (taps / taps.sum()).astype(np.float32)
    return result


def _mel(hz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    return np.where(
        hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1) / 1000) * 27 / np.log(6.4)
    )


def _hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


@cache
def mel_bands() -> Float32:
    """(MEL_BINS, N_MELS) triangles of equal area on Slaney's mel scale."""
    edges = _hz(np.linspace(0.0, float(_mel(np.array(MEL_TOP_HZ))), N_MELS + 2))
    bins = np.arange(MEL_BINS) * (RATE_HZ / MEL_FFT)
    rising = (bins[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins[:, None]) / np.diff(edges)[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    bands: Float32 = (triangles * 2 / (edges[2:] - edges[:-2])).astype(np.float32)
    return bands


@cache
def tone_bands() -> tuple[Float32, Float32]:
    """Weights for the long transform (low semitones) and for the short one (the others).

    (bins, semitones) both; of the long transform only the bins that count.
    """
    centres = LOWEST_TONE_HZ * 2 ** (np.arange(N_TONES) / 12)
    is_low = centres < SPLIT_HZ
    long_bins = np.arange(TONE_FFT // 2 + 1) * (RATE_HZ / DECIMATION / TONE_FFT)
    short_bins = np.arange(MEL_BINS) * (RATE_HZ / MEL_FFT)
    # Power of a tone grows with the square of the transform's length in seconds.
    equal = (MEL_FFT / (TONE_FFT * DECIMATION)) ** 2 * DECIMATION**2 * MEL_POWER_SCALE
    low = (_bells(long_bins, centres[is_low]) * equal).astype(np.float32)
    low = np.ascontiguousarray(low[: 1 + int(np.flatnonzero(low.any(axis=1))[-1])])
    return low, _bells(short_bins, centres[~is_low]).astype(np.float32)


def _bells(bins: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n_bins, n_centres) Gaussians one semitone wide, or two bins where those are wider.

    Weights rise with frequency, so that the falling spectrum of music comes out level.
    """
    width = np.maximum(centres * (2 ** (1 / 24) - 1), bins[1])
    bells: np.ndarray = np.exp(-0.5 * np.square((bins[:, None] - centres) / width))
    bells *= TONE_SCALE * 1e-5 * centres
    return bells
