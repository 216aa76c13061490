"""Facets and measures on sounds whose properties are known."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from mess_plugin.facets import Facet, harmony, key, tempo
from mess_plugin.facets.extract import hear_facets, summarise
from mess_plugin.facets.statistics import FACET_RATE_HZ as RATE_HZ
from mess_plugin.facets.statistics import ONSETS_HZ, Sketch, Sketcher
from mess_plugin.facets.values import Loudness, TrackFacets
from mess_plugin.model import Float32

A_MINOR = ((57, 60, 64), (62, 65, 69), (64, 68, 71), (57, 60, 64))
NO_LOUDNESS = Loudness(None, None)


def sketch_of(waveform: Float32, block: int = 1 << 16) -> Sketch | None:
    sketcher = Sketcher()
    for start in range(0, len(waveform), block):
        sketcher.add(waveform[start : start + block])
    return sketcher.finish()


def facets_of(waveform: Float32) -> TrackFacets:
    sketch = sketch_of(waveform)
    assert sketch is not None
    return summarise(sketch, NO_LOUDNESS)


def tone(pitch: int, duration_s: float, partials: tuple[float, ...]) -> Float32:
    times_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    hz = 440 * 2 ** ((pitch - 69) / 12)
    waves = [gain * np.sin(2 * np.pi * hz * n * times_s) for n, gain in enumerate(partials, 1)]
    return np.asarray(np.sum(waves, axis=0) * np.exp(-2 * times_s), dtype=np.float32)


def chords(
    progression: tuple[tuple[int, ...], ...],
    repeats: int,
    *,
    semitones: int = 0,
    partials: tuple[float, ...] = (1.0, 0.5, 0.25),
) -> Float32:
    parts = [
        sum((tone(pitch + semitones, 1.0, partials) for pitch in chord), np.float32(0))
        for chord in progression
    ]
    return np.asarray(0.1 * np.tile(np.concatenate(parts), repeats), dtype=np.float32)


def clicks(bpm: float, duration_s: float = 30.0) -> Float32:
    waveform = np.random.default_rng(0).normal(0, 1e-4, round(duration_s * RATE_HZ))
    click = np.random.default_rng(1).normal(0, 0.3, 600) * np.exp(-np.arange(600) / 100)
    for start in np.arange(0, duration_s - 0.1, 60 / bpm):
        at = round(start * RATE_HZ)
        waveform[at : at + 600] += click
    return waveform.astype(np.float32)


@pytest.mark.parametrize("bpm", [70.0, 84.0, 100.0, 120.0, 128.0, 143.0, 174.0])
def test_the_tempo_of_clicks(bpm: float) -> None:
    found = facets_of(clicks(bpm)).measures.tempo
    assert found is not None
    octave = min((0.5, 1.0, 2.0), key=lambda o: abs(found.bpm * o - bpm))
    assert found.bpm * octave == pytest.approx(bpm, rel=0.01)
    assert found.confidence > 0.3


def test_a_steady_pulse_is_more_certain_than_chance() -> None:
    steady = facets_of(clicks(110)).measures.tempo
    noise = np.random.default_rng(2).normal(0, 0.1, 30 * RATE_HZ).astype(np.float32)
    chance = facets_of(noise).measures.tempo
    assert steady is not None
    assert chance is None or chance.confidence < steady.confidence / 3


def test_no_tempo_without_movement_or_in_a_moment() -> None:
    assert tempo.estimate(np.zeros(2000, np.float32)) is None
    assert tempo.estimate(np.ones(int(ONSETS_HZ), np.float32)) is None


@pytest.mark.parametrize("semitones", [0, 1, 5, 10])
def test_the_key_of_a_cadence_moves_with_it(semitones: int) -> None:
    found = facets_of(chords(A_MINOR, 5, semitones=semitones)).measures.key
    assert found is not None
    assert (found.tonic, found.mode) == ((9 + semitones) % 12, "minor")
    assert 0 < found.confidence <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Am", (9, "minor")), ("A minor", (9, "minor")), ("F#", (6, "major")),
        ("Bbm", (10, "minor")), ("8A", (9, "minor")), ("8B", (0, "major")), ("12B", (4, "major")),
        ("1m", (9, "minor")), ("1d", (0, "major")), ("h moll", (11, "minor")), ("CM", (0, "major")),
        ("13A", None), ("off-key", None), ("", None),
    ],
)  # fmt: skip
def test_keys_as_people_write_them(text: str, expected: tuple[int, str] | None) -> None:
    assert key.parse(text) == expected


def test_which_keys_mix() -> None:
    c, am, g, em, d, cm = (
        (0, "major"),
        (9, "minor"),
        (7, "major"),
        (4, "minor"),
        (2, "major"),
        (0, "minor"),
    )
    assert key.compatible(c, c)
    assert key.compatible(c, am)
    assert key.compatible(c, g)
    assert not key.compatible(c, em)
    assert not key.compatible(c, d)
    assert not key.compatible(c, cm)
    assert "relative" in key.relation(c, am)
    assert key.relation(am, am) == "both A minor"


def test_harmony_follows_the_chords_and_not_the_instrument_or_key() -> None:
    other_chords = ((60, 64, 67), (60, 63, 68), (61, 65, 68), (66, 70, 73))
    asked = facets_of(chords(A_MINOR, 5)).vectors[Facet.HARMONY]
    others = np.stack(
        [
            facets_of(chords(A_MINOR, 5, semitones=3, partials=(0.4, 0, 1, 0, 0.6))).vectors[
                Facet.HARMONY
            ],
            facets_of(chords(other_chords, 5)).vectors[Facet.HARMONY],
        ]
    )
    moved, different = harmony.similarity(asked, others)
    assert moved > different + 0.1
    exact, _ = harmony.similarity(asked, others, exact_key=True)
    assert exact < moved - 0.1


def test_timbre_follows_the_instrument_and_not_the_chords() -> None:
    bright = (0.4, 0.0, 1.0, 0.0, 0.6, 0.3, 0.3)
    other_chords = ((60, 64, 67), (60, 63, 68), (61, 65, 68), (66, 70, 73))
    asked = facets_of(chords(A_MINOR, 3)).vectors[Facet.TIMBRE]
    same_instrument = facets_of(chords(other_chords, 3)).vectors[Facet.TIMBRE]
    other_instrument = facets_of(chords(A_MINOR, 3, partials=bright)).vectors[Facet.TIMBRE]
    assert asked @ same_instrument > asked @ other_instrument + 0.1


def test_invariants_do_not_hear_transposition() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 576)).astype(np.float32)
    moved = harmony.invariants(harmony.transposed(vectors, 5))
    assert np.allclose(harmony.invariants(vectors), moved, atol=1e-5)
    assert abs(float(moved[0] @ moved[1])) < 0.999


def test_gain_changes_no_facet() -> None:
    waveform = chords(A_MINOR, 4)
    loud, quiet = facets_of(waveform), facets_of(waveform * np.float32(0.2))
    for facet in Facet:
        assert loud.vectors[facet] @ quiet.vectors[facet] > 0.999, facet
    assert np.allclose(loud.curve, quiet.curve, atol=1e-3)


@pytest.mark.parametrize("block", [1000, 65_536, 700_001])
def test_the_size_of_blocks_does_not_matter(block: int) -> None:
    waveform = np.concatenate([chords(A_MINOR, 3), clicks(120, 3.3)])
    one, other = sketch_of(waveform, block), sketch_of(waveform, len(waveform))
    assert one is not None
    assert other is not None
    for name in ("shape_mean", "periods", "onsets", "chroma", "course", "level_db"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=1e-5), name


def test_silence_and_moments_have_no_facets() -> None:
    assert sketch_of(np.zeros(5 * RATE_HZ, np.float32)) is None
    assert sketch_of(clicks(120, 0.4)) is None
    assert sketch_of(clicks(120, 0.6)) is not None


def test_vectors_are_finite_and_of_unit_length() -> None:
    for waveform in (clicks(120, 0.6), chords(A_MINOR, 2), np.ones(RATE_HZ, np.float32) * 0.1):
        for facet, vector in facets_of(waveform).vectors.items():
            assert np.isfinite(vector).all(), facet
            length = float(np.linalg.norm(vector))
            assert length == pytest.approx(1, abs=1e-3) or length < 1e-3, facet


def test_more_going_on_is_more_activity() -> None:
    calm = facets_of(chords(A_MINOR, 4)).measures.activity
    driving = facets_of(chords(A_MINOR, 4) + clicks(360, 16.0)).measures.activity
    assert 0 <= calm < driving <= 1


def test_silence_decides_no_measure() -> None:
    """A song, minutes of silence and a hidden track are what the song and the track are."""
    one, other = chords(A_MINOR, 4) + clicks(150, 16.0), chords(((60, 64, 67),), 8)
    pause = np.zeros(170 * RATE_HZ + 777, np.float32)
    together = facets_of(np.concatenate([one, other]))
    apart = facets_of(np.concatenate([pause[: 5 * RATE_HZ], one, pause, other, pause[:99_999]]))
    for name in ("activity", "brightness", "drive"):
        of_one, of_other = (getattr(heard.measures, name) for heard in (together, apart))
        assert of_other == pytest.approx(of_one, abs=0.12), name  # steps fall otherwise on the beat
    assert together.measures.activity > 0.25
    energies = [heard.vectors[Facet.TIMBRE] for heard in (together, apart)]
    assert energies[0] @ energies[1] > 0.97
    assert apart.curve[20:40].max() == 0  # the course shows it


def test_a_song_that_ends_within_a_block_is_measured_by_what_sounds() -> None:
    song = chords(A_MINOR, 3) + clicks(150, 12.0)
    alone = facets_of(song).measures
    ending = facets_of(np.concatenate([song, np.zeros(3 * RATE_HZ, np.float32)])).measures
    for name in ("activity", "brightness", "drive"):
        assert getattr(ending, name) == pytest.approx(getattr(alone, name), abs=0.04), name


def test_the_course_rises_where_the_music_does() -> None:
    rising = chords(A_MINOR, 5) * np.linspace(0.02, 1, 20 * RATE_HZ, dtype=np.float32)
    curve = facets_of(rising).curve
    assert curve[-8:].mean() > curve[:8].mean() + 0.3
    assert ((curve >= 0) & (curve <= 1)).all()


def test_loudness_is_that_of_the_standard(tmp_path: Path) -> None:
    """EBU Tech 3341, cases 1 and 2: a stereo sine of 1 kHz at -23 dBFS measures -23 LUFS."""
    for level_db in (-23.0, -33.0):
        times_s = np.arange(20 * 48_000) / 48_000
        samples = 10 ** (level_db / 20) * np.sin(2 * np.pi * 1000 * times_s)
        path = tmp_path / f"{level_db}.wav"
        with wave.open(str(path), "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(48_000)
            out.writeframes((np.repeat(samples, 2) * 32767).astype("<i2").tobytes())
        heard = hear_facets(path)
        assert heard is not None
        assert heard.measures.loudness.integrated_lufs == pytest.approx(level_db, abs=0.1)
        assert heard.measures.loudness.range_lu == pytest.approx(0, abs=0.1)


def test_attributes_follow_their_causes_and_not_the_gain() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.1, 20 * RATE_HZ).astype(np.float32)
    dull = np.convolve(noise, np.ones(24) / 24, mode="same").astype(np.float32)
    bright, dark = facets_of(noise).measures, facets_of(dull).measures
    assert bright.brightness is not None
    assert dark.brightness is not None
    assert bright.brightness > dark.brightness + 0.2
    quieter = facets_of(0.1 * noise).measures
    assert quieter.brightness == pytest.approx(bright.brightness, abs=0.02)
    drives = [facets_of(clicks(bpm)).measures.drive for bpm in (60, 200)]
    assert drives[0] is not None
    assert drives[1] is not None
    assert 0 <= drives[0] < drives[1] <= 1
    still = facets_of(chords(((57, 60, 64),), 20, partials=(1.0,))).measures
    assert still.drive is not None
    assert still.drive < drives[1]
