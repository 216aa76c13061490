"""Changes that leave a recording the same music, applied to spectra instead of waveforms.

Noise, filters, level, pitch, tempo and the holes a codec leaves are simple in the power domain, so
training never decodes or transforms audio. Spectra here are (batch, steps, bands) powers; the
encoder's logarithm is undone on the way in and applied again on the way out.
"""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import torch
from torch import Tensor

from mess_plugin.encoders.mini import spectra as features

NOISE_TILTS = (0.0, 0.5, 1.0)  # white, pink, brown: amplitude falls with f ** -tilt
FLOOR = 1e4  # the encoder takes log10(1 + FLOOR * power)
LN10 = float(np.log(10))


class Strength(msgspec.Struct, frozen=True):
    """How far each change may go; the share of windows that it touches lies in `often`.

    snr_db is the ratio at the level that `Augment.level` sees, which counts the bands alone: noise
    beside a waveform of tones comes out about 5 dB louder than the name says.
    """

    often: float = 0.5
    snr_db: tuple[float, float] = (3.0, 30.0)
    equaliser_db: float = 8.0
    low_pass_hz: tuple[float, float] = (2_000.0, 9_000.0)
    semitones: float = 2.0
    tempo: float = 0.12
    codec_db: tuple[float, float] = (20.0, 50.0)


class Batch(msgspec.Struct, frozen=True):
    """Spectra of equally long windows: mel (n, steps, 96), tones (n, steps / 4, 96), as encoded."""

    mel: Tensor
    tones: Tensor


class Augment:
    """Draws random changes; the generator makes them repeatable."""

    def __init__(self, strength: Strength, generator: torch.Generator) -> None:
        self.strength = strength
        self.generator = generator
        self.centres = [torch.from_numpy(c) for c in _centres_hz()]
        self.widths = torch.from_numpy(_mel_widths())
        self.noises = [torch.from_numpy(n) for n in _noises()]

    def uniform(self, n: int, low: float, high: float) -> Tensor:
        """(n,) evenly drawn numbers."""
        return torch.rand(n, generator=self.generator) * (high - low) + low

    def touched(self, n: int) -> Tensor:
        """(n,) which windows a change touches."""
        return torch.rand(n, generator=self.generator) < self.strength.often

    def rows(self, n: int) -> Tensor:
        """Numbers of the windows that a change touches."""
        return self.touched(n).nonzero().squeeze(1)

    def __call__(self, batch: Batch) -> Batch:
        """The same music in other circumstances, brought back to the common level."""
        powers = [torch.expm1(x * LN10).div_(FLOOR) for x in (batch.mel, batch.tones)]
        before = self.level(powers[0])
        powers = self.transpose(powers)
        powers = self.filter(powers)
        powers = self.noise(powers)
        powers = self.codec(powers)
        gain = (before / self.level(powers[0]).clamp_min(1e-12))[:, None, None]
        mel, tones = (torch.log1p(p.mul_(FLOOR * gain)).div_(LN10) for p in powers)
        return Batch(mel, tones)

    def level(self, mel_power: Tensor) -> Tensor:
        """(n,) energy of each window."""
        return (mel_power * self.widths).sum(-1).mean(-1)

    def transpose(self, powers: list[Tensor]) -> list[Tensor]:
        """Shifts the spectrum along logarithmic frequency."""
        rows = self.rows(len(powers[0]))
        shift = self.uniform(len(rows), -self.strength.semitones, self.strength.semitones)
        ratio = torch.pow(2.0, shift / 12)
        return [
            power.index_copy(0, rows, _warp(power[rows], centres, ratio))
            for power, centres in zip(powers, self.centres, strict=True)
        ]

    def filter(self, powers: list[Tensor]) -> list[Tensor]:
        """A smooth random equaliser and, less often, a low-pass of random order."""
        n = len(powers[0])
        touched, cut = self.touched(n), self.touched(n)
        depth = self.uniform(4 * n, -1, 1).view(n, 4) * self.strength.equaliser_db / 2
        phase = self.uniform(4 * n, 0, 2 * np.pi).view(n, 4)
        low, high = (np.log(x) for x in self.strength.low_pass_hz)
        corner, order = self.uniform(n, low, high).exp(), self.uniform(n, 1, 4)
        waves = torch.arange(1, 5) * 0.5
        result = []
        for power, centres in zip(powers, self.centres, strict=True):
            octave = torch.log2(centres / 1000.0)
            gain_db = depth[:, :, None] * torch.cos(phase[:, :, None] + waves[:, None] * octave)
            gain_db = gain_db.sum(1) * touched[:, None]
            steep = torch.log10(1 + (centres / corner[:, None]) ** (2 * order[:, None]))
            gain_db = gain_db - 10 * steep * cut[:, None]
            result.append(power * torch.pow(10.0, gain_db / 10)[:, None])
        return result

    def noise(self, powers: list[Tensor]) -> list[Tensor]:
        """Coloured noise at a random ratio; the power of noise in a band is exponential."""
        rows = self.rows(len(powers[0]))
        snr = self.uniform(len(rows), *self.strength.snr_db)
        amount = self.level(powers[0])[rows] * torch.pow(10.0, -snr / 10)
        kind = torch.randint(len(NOISE_TILTS), (len(rows),), generator=self.generator)
        result = []
        for power, templates in zip(powers, self.noises, strict=True):
            some = power[rows]
            ripple = -torch.log1p(-torch.rand(some.shape, generator=self.generator))
            added = (amount[:, None] * templates[kind])[:, None] * (0.5 + 0.5 * ripple)
            result.append(power.index_copy(0, rows, some + added))
        return result

    def codec(self, powers: list[Tensor]) -> list[Tensor]:
        """Empties what lies too far below the loudest band of its moment."""
        rows = self.rows(len(powers[0]))
        depth = self.uniform(len(rows), *self.strength.codec_db)
        limit = torch.pow(10.0, -depth / 10)[:, None, None]
        result = []
        for power in powers:
            some = power[rows]
            kept = some * (some > some.amax(-1, keepdim=True) * limit)
            result.append(power.index_copy(0, rows, kept))
        return result


def mix(batch: Batch, other: Batch, level_db: Tensor) -> Batch:
    """In-batch noise mixup: another clip added at a level in dB relative to its own, per window."""
    share = torch.pow(10.0, level_db / 10)[:, None, None]
    pairs = ((batch.mel, other.mel), (batch.tones, other.tones))
    mel, tones = (
        torch.exp(a * LN10).add_(share * torch.expm1(b * LN10)).log_().div_(LN10) for a, b in pairs
    )
    return Batch(mel, tones)


def _warp(power: Tensor, centres: Tensor, ratio: Tensor) -> Tensor:
    """Power at centres / ratio, by linear interpolation between bands."""
    wanted = centres / ratio[:, None]
    right = torch.searchsorted(centres, wanted).clamp(1, len(centres) - 1)
    left = right - 1
    weight = ((wanted - centres[left]) / (centres[right] - centres[left])).clamp(0, 1)
    matrix = torch.zeros(len(ratio), len(centres), len(centres))
    matrix.scatter_add_(1, left[:, None], (1 - weight)[:, None])
    matrix.scatter_add_(1, right[:, None], weight[:, None])
    return torch.bmm(power, matrix)


@cache
def _centres_hz() -> tuple[np.ndarray, np.ndarray]:
    bins = np.arange(features.MEL_BINS) * features.RATE_HZ / features.MEL_FFT
    bands = features.mel_bands()
    mel = (bins @ bands) / bands.sum(0)
    tones = features.LOWEST_TONE_HZ * 2 ** (np.arange(features.N_TONES) / 12)
    return mel.astype(np.float32), tones.astype(np.float32)


@cache
def _mel_widths() -> np.ndarray:
    """(96,) so that power times width, summed over the bands, is the energy of a window."""
    widths: np.ndarray = 1 / features.mel_bands().sum(0)
    white = np.random.default_rng(0).standard_normal(20 * features.RATE_HZ).astype(np.float32)
    power = (10 ** features.scaled_spectra(white).mel - 1).mean(0) / FLOOR
    return (widths / (power @ widths)).astype(np.float32)


@cache
def _noises() -> tuple[np.ndarray, np.ndarray]:
    """(n_tilts, 96) mean powers of noises of unit energy, for both kinds of spectra."""
    rng = np.random.default_rng(0)
    n = 20 * features.RATE_HZ
    spectrum = np.fft.rfft(rng.standard_normal(n))
    hz = np.maximum(np.fft.rfftfreq(n, 1 / features.RATE_HZ), 20.0)
    mel, tones = [], []
    for tilt in NOISE_TILTS:
        noise = np.fft.irfft(spectrum * hz**-tilt, n)
        seen = features.scaled_spectra((noise / noise.std()).astype(np.float32))
        mel.append((10**seen.mel - 1).mean(0) / FLOOR)
        tones.append((10**seen.tones - 1).mean(0) / FLOOR)
    return np.array(mel, np.float32), np.array(tones, np.float32)
