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
DECIMATED_BLOCK = 64  # samples of the output that one row of a matrix product makes


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
    return scaled_spectra(window * np.float32(level_gain(window)))


def level_gain(window: Float32) -> float:
    """The factor that brings a window to the common level."""
    return min(LEVEL_RMS / max(math.sqrt(mean_square(window)), 1e-12), MAX_GAIN)


def scaled_spectra(scaled: Float32) -> MiniSpectra:
    """Spectra of a window as loud as it is."""
    n_frames = len(scaled) // FRAME_SAMPLES
    power = _power(scaled, MEL_FFT, MEL_HOP, n_frames * MELS_PER_FRAME, MEL_BINS)
    power *= np.float32(MEL_POWER_SCALE)
    mel = _logarithm(power @ mel_bands())
    low, high = tone_bands()
    n_tones, hop = n_frames * TONES_PER_FRAME, TONE_HOP // DECIMATION
    long_power = _power(_decimate(scaled), TONE_FFT, hop, n_tones, len(low))
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


def _power(signal: Float32, size: int, hop: int, n: int, n_bins: int) -> Float32:
    """(n, n_bins) power of Hann-weighted excerpts centred in n successive hops, lowest bins."""
    left = (size - hop) // 2
    right = max(0, (n - 1) * hop + size - left - len(signal))
    padded = np.pad(signal, (left, right), mode="reflect")
    excerpts = np.lib.stride_tricks.sliding_window_view(padded, size)[: (n - 1) * hop + 1 : hop]
    return weighted_power(excerpts, _hann(size), n_bins)


@cache
def _hann(size: int) -> Float32:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def _decimate(signal: Float32) -> Float32:
    """Every DECIMATION-th sample of the low-passed signal."""
    half = DECIMATION_TAPS // 2
    n = len(signal) // DECIMATION + 1
    matrix = _decimator()
    n_blocks = -(-n // DECIMATED_BLOCK)
    hop = DECIMATED_BLOCK * DECIMATION
    padded = np.pad(signal, (half, half), mode="reflect")
    # Up to DECIMATION - 1 samples may lie beyond the last whole block; no row reaches them.
    padded = np.pad(padded, (0, max(0, (n_blocks - 1) * hop + len(matrix) - len(padded))))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, len(matrix))[::hop]
    return (blocks @ matrix).ravel()[:n]


@cache
def _decimator() -> Float32:
    """(samples, DECIMATED_BLOCK): the low-pass at each place of a block of its output."""
    taps = _low_pass()
    reach = DECIMATION * (DECIMATED_BLOCK - 1) + DECIMATION_TAPS
    matrix = np.zeros((reach, DECIMATED_BLOCK), np.float32)
    for i in range(DECIMATED_BLOCK):
        matrix[i * DECIMATION : i * DECIMATION + DECIMATION_TAPS, i] = taps
    return matrix


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
