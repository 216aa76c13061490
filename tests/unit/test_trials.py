"""Trials put whatever hears waveforms to the test."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin import encoders
from mess_plugin.evaluation import trials
from mess_plugin.evaluation.embedding import embed_recording
from mess_plugin.evaluation.tasks import ExcerptPosition
from mess_plugin.evaluation.transforms import TRANSFORMS
from mess_plugin.model import Float32, Waveform

RATE_HZ = 24_000


def chords(seed: int, duration_s: float = 15.0) -> Waveform:
    """Random chords of one random instrument at a random tempo."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    beat_s = rng.uniform(0.2, 0.6)
    beat = (time_s / beat_s).astype(int)
    tilt = rng.uniform(0.3, 1.5)
    out = np.zeros(len(time_s))
    for _ in range(3):
        notes = 110 * 2 ** (rng.integers(0, 24, beat.max() + 1) / 12)
        phase = 2 * np.pi * np.cumsum(notes[beat]) / RATE_HZ
        out += sum(np.sin(k * phase) / k**tilt for k in range(1, 8))
    return (0.05 * out * np.exp(-rng.uniform(2, 8) * (time_s % beat_s))).astype(np.float32)


def test_robustness_of_a_real_encoder_and_of_a_deaf_one() -> None:
    encoder = encoders.load("descriptors")
    waveforms = [chords(seed) for seed in range(4)]
    groups = [f"album {i}" for i in range(4)]
    asked = [(i, groups[i], w) for i, w in enumerate(waveforms[:2])]

    def embed(waveform: Waveform) -> Float32:
        return embed_recording(encoder, waveform).song

    originals = np.stack([embed(w) for w in waveforms])
    results = trials.robustness(asked, RATE_HZ, embed, originals, groups)
    assert [r.task for r in results] == list(TRANSFORMS)
    assert {r.groups for r in results} == {("album 0", "album 1")}
    by_name = {r.task: r.measures["R@1"].mean() for r in results}
    assert by_name["gain"] == by_name["mp3"] == by_name["faster"] == 1
    deaf = trials.robustness(
        asked, RATE_HZ, lambda _: np.ones(3, np.float32), np.ones((4, 3), np.float32), groups
    )
    assert all(r.measures["R@1"].sum() == 0 for r in deaf)


def test_sections_lie_in_the_recording_and_sound_like_their_place() -> None:
    waveform = chords(1)
    sections = list(trials.draw_sections(waveform, RATE_HZ, 7, "key"))
    assert len(sections) == 3
    assert len({s.place.start_s for s in sections}) == 3
    for section in sections:
        assert section.place.recording == 7
        start = round(section.place.start_s * RATE_HZ)
        clean = waveform[start : start + 10 * RATE_HZ]
        assert np.corrcoef(clean, section.waveform)[0, 1] > 0.9
    again = list(trials.draw_sections(waveform, RATE_HZ, 7, "key"))
    other = list(trials.draw_sections(waveform, RATE_HZ, 7, "key", seed=1))
    np.testing.assert_array_equal(again[2].waveform, sections[2].waveform)
    assert other[0].place != sections[0].place


def test_a_short_recording_is_its_own_section() -> None:
    for section in trials.draw_sections(chords(1, 4.0), RATE_HZ, 0, "key"):
        assert section.place.start_s == 0
        assert len(section.waveform) == 4 * RATE_HZ


def test_lookup_asks_for_each_section() -> None:
    sections = list(trials.draw_sections(chords(1), RATE_HZ, 1, "key"))
    answers = iter([sections[0].place, ExcerptPosition(0, 3.0), None])
    result = trials.lookup(sections, lambda _: next(answers), ["a", "b"])
    np.testing.assert_array_equal(result.measures["song"], [1, 0, 0])
    assert result.groups == ("b", "b", "b")


@pytest.mark.parametrize(("duration_s", "expected_s"), [(120.0, 30.0), (40.0, 20.0)])
def test_halves_do_not_overlap(duration_s: float, expected_s: float) -> None:
    ramp = np.arange(round(duration_s * RATE_HZ)).astype(np.float32)
    first, second = trials.halves(ramp, RATE_HZ)
    assert len(first) == len(second) == round(expected_s * RATE_HZ)
    assert first[-1] < second[0]
    assert first.mean() == pytest.approx(len(ramp) / 4, rel=1e-3)
    assert second.mean() == pytest.approx(3 * len(ramp) / 4, rel=1e-3)
