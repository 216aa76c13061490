"""The loudness meter beside slower ones: the filter sample by sample, and FFmpeg's meter."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.filter import Graph

from mess_plugin.audio.downmix import FrameFormat
from mess_plugin.facets.loudness import LoudnessMeter
from mess_plugin.facets.values import Loudness
from mess_plugin.features.k_weighting import GROUP_SAMPLES, LEAST_RATE_HZ, KWeighting, biquads
from mess_plugin.model import Float32

STANDARD_48_KHZ = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285),
     (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)  # fmt: skip


def form_of(layout: str, rate_hz: int) -> FrameFormat:
    names = tuple(channel.name for channel in av.AudioLayout(layout).channels)
    return FrameFormat(rate_hz, "fltp", layout, names, len(names))


def uneven_noise(n_channels: int, rate_hz: int, seconds: float, seed: int) -> Float32:
    """Noise with a hum and an offset, whose level changes every two seconds, silence included."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate_hz)
    noise = rng.standard_normal((n_channels, n)) * 0.2
    hum = 0.1 * np.sin(2 * np.pi * 45 * np.arange(n) / rate_hz) + 0.05
    levels_db = rng.choice([0.0, -6.0, -15.0, -30.0, -200.0], size=int(seconds / 2) + 1)
    gains = 10 ** (levels_db[(np.arange(n) / rate_hz / 2).astype(int)] / 20)
    return np.asarray((noise + hum) * gains, dtype=np.float32)


def metered(samples: Float32, form: FrameFormat, piece: int) -> Loudness:
    meter = LoudnessMeter()
    for start in range(0, samples.shape[1], piece):
        meter.push(np.ascontiguousarray(samples[:, start : start + piece]), form)
    return meter.finish()


def metered_by_ffmpeg(samples: Float32, form: FrameFormat) -> tuple[float, float]:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=form.rate_hz,
        format="flt",
        layout=form.layout,
        time_base=Fraction(1, form.rate_hz),
    )
    meter = graph.add("ebur128", "metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)
    frame = AudioFrame.from_ndarray(interleaved, format="flt", layout=form.layout)
    frame.sample_rate, frame.pts = form.rate_hz, 0
    frame.time_base = Fraction(1, form.rate_hz)
    graph.push(frame)
    graph.push(None)
    integrated, spread = -70.0, 0.0
    while True:
        try:
            found = graph.pull()
        except (BlockingIOError, EOFError):
            return integrated, spread
        assert isinstance(found, AudioFrame)
        if found.metadata:
            integrated = float(found.metadata["lavfi.r128.I"])
            spread = float(found.metadata["lavfi.r128.LRA"])


def filtered_sample_by_sample(samples: Float32, rate_hz: int) -> np.ndarray:
    sound = samples.astype(np.float64)
    for (b0, b1, b2), (_, a1, a2) in biquads(rate_hz):
        out = np.zeros_like(sound)
        first, second = (np.zeros(len(sound)) for _ in range(2))
        for n in range(sound.shape[1]):
            x = sound[:, n]
            y = b0 * x + first
            first, second = b1 * x - a1 * y + second, b2 * x - a2 * y
            out[:, n] = y
        sound = out
    return sound


def test_coefficients_are_those_of_the_standard() -> None:
    for found, stated in zip(biquads(48_000), STANDARD_48_KHZ, strict=True):
        np.testing.assert_allclose(found, stated, atol=1e-7)


@pytest.mark.parametrize("rate_hz", [LEAST_RATE_HZ, 44_100, 192_000])
def test_the_filter_is_the_recursion(rate_hz: int) -> None:
    samples = uneven_noise(2, rate_hz, 10 * GROUP_SAMPLES / rate_hz + 0.01, seed=1)
    samples = samples[:, : 10 * GROUP_SAMPLES] + np.float32(0.3)
    weighting = KWeighting(rate_hz, 2)
    parts = [
        weighting(np.ascontiguousarray(samples[:, a * GROUP_SAMPLES : b * GROUP_SAMPLES]))
        for a, b in ((0, 1), (1, 7), (7, 10))
    ]
    found = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(found, filtered_sample_by_sample(samples, rate_hz), atol=1e-4)


def test_a_rate_below_the_filter_is_refused() -> None:
    with pytest.raises(ValueError, match="under 8000 Hz"):
        KWeighting(LEAST_RATE_HZ - 1, 1)


@pytest.mark.parametrize(
    ("layout", "rate_hz"),
    [("mono", 44_100), ("stereo", 44_100), ("stereo", 22_050), ("5.1", 48_000),
     ("5.1(side)", 48_000), ("7.1", 96_000), ("stereo", 11_025)],
)  # fmt: skip
def test_the_meter_reads_what_ffmpeg_reads(layout: str, rate_hz: int) -> None:
    form = form_of(layout, rate_hz)
    samples = uneven_noise(form.n_channels, rate_hz, 24.3, seed=rate_hz)
    integrated, spread = metered_by_ffmpeg(samples, form)
    heard = metered(samples, form, piece=rate_hz)
    assert heard.integrated_lufs == pytest.approx(integrated, abs=0.05)
    assert heard.range_lu == pytest.approx(spread, abs=0.5)


def test_pieces_do_not_matter() -> None:
    form = form_of("stereo", 44_100)
    samples = uneven_noise(2, 44_100, 5.0, seed=3)
    whole = metered(samples, form, piece=samples.shape[1])
    for piece in (441, 5000, GROUP_SAMPLES):
        cut = metered(samples, form, piece)
        assert cut.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-3)
        assert cut.range_lu == pytest.approx(whole.range_lu, abs=1e-3)


def test_the_range_of_two_levels() -> None:
    """EBU Tech 3342, case 1: 20 s at -20 dBFS and 20 s at -30 dBFS have a range of 10 LU."""
    times_s = np.arange(40 * 48_000) / 48_000
    levels = np.where(times_s < 20, 10 ** (-20 / 20), 10 ** (-30 / 20))
    tone = (levels * np.sin(2 * np.pi * 1000 * times_s)).astype(np.float32)
    heard = metered(np.stack([tone, tone]), form_of("stereo", 48_000), piece=48_000)
    assert heard.range_lu == pytest.approx(10, abs=0.1)


def test_what_cannot_be_metered() -> None:
    stereo = form_of("stereo", 44_100)
    noise = uneven_noise(2, 44_100, 2.0, seed=4)
    broken = noise.copy()
    broken[0, 30_000] = np.nan
    nothing = Loudness(None, None)
    assert metered(noise[:, :17_000], stereo, 17_000) == nothing  # under 400 ms
    assert metered(np.zeros_like(noise), stereo, 44_100) == nothing
    assert metered(broken, stereo, 44_100) == nothing
    assert metered(noise, form_of("stereo", 4_000), 4_000) == nothing
    assert LoudnessMeter().finish() == nothing
