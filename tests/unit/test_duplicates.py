"""Laying recordings along each other: the line is found, and other music has none."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.duplicates.classify import DuplicateFeatures, compare, kind_of, kind_with_tags
from mess_plugin.duplicates.time_alignment import TimeAlignment, align
from mess_plugin.model import Float32, LevelVectors, Tags
from mess_plugin.store.duplicates import LinkEvidence

HOP_S, WINDOW_S, DIM = 2.5, 5.0, 24


def course_of_music(seed: int, n: int) -> Float32:
    """Vectors that wander, (n, DIM), with a common part, as windows of one recording do."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(size=(n, DIM)), axis=0)
    return unit((0.7 * steps + 3 * rng.normal(size=DIM)).astype(np.float32))


def windows(vectors: Float32) -> LevelVectors:
    starts = np.arange(len(vectors), dtype=np.float32) * HOP_S
    return LevelVectors(np.stack((starts, starts + WINDOW_S), axis=1), vectors)


def slower(vectors: Float32, speed: float) -> Float32:
    """The same alignment, taking `speed` times as long."""
    places = np.arange(int(len(vectors) * speed)) / speed
    places = places[places <= len(vectors) - 1]
    low = np.minimum(places.astype(int), len(vectors) - 2)
    share = (places - low)[:, None].astype(np.float32)
    return unit(vectors[low] * (1 - share) + vectors[low + 1] * share)


def test_a_recording_runs_along_itself() -> None:
    music = windows(course_of_music(0, 60))
    found = align(music, music)
    assert found is not None
    assert found.likeness == pytest.approx(1.0, abs=1e-5)
    assert found.lead == pytest.approx(1.0, abs=1e-4)
    assert (found.speed, found.offset_s, found.coverage) == (1.0, 0.0, 1.0)


def test_a_cut_beginning_is_an_offset() -> None:
    vectors = course_of_music(1, 60)
    found = align(windows(vectors[4:]), windows(vectors))
    assert found is not None
    assert (found.speed, found.offset_s) == (1.0, 10.0)
    assert found.coverage == pytest.approx(142.5 / 152.5, abs=1e-3)
    other_way = align(windows(vectors), windows(vectors[4:]))
    assert other_way is not None
    assert other_way.offset_s == -10.0


@pytest.mark.parametrize("speed", [0.94, 1.06])
def test_another_speed_is_told(speed: float) -> None:
    vectors = course_of_music(2, 80)
    found = align(windows(vectors), windows(slower(vectors, speed)))
    assert found is not None
    assert found.speed == pytest.approx(speed, abs=0.011)
    assert found.likeness > 0.98


def test_other_music_leads_nowhere() -> None:
    for seed in range(5):
        found = align(
            windows(course_of_music(10 + seed, 60)), windows(course_of_music(20 + seed, 60))
        )
        assert found is not None
        assert found.lead < 0.5
    assert align(windows(course_of_music(0, 3)), windows(course_of_music(0, 60))) is None


def test_the_kind_follows_the_evidence() -> None:
    def judged(lead: float, likeness: float = 0.95, **changed: float) -> str | None:
        values = {"coverage": 1.0, "speed": 1.0, "harmony": 0.99, "semitones": 0} | changed
        evidence = LinkEvidence(likeness=likeness, offset_s=0.0, **values)  # type: ignore[arg-type]
        alignment = TimeAlignment(likeness, lead, evidence.coverage, evidence.speed, 0.0)
        return kind_of(alignment, evidence)

    assert judged(0.9) == "same"
    assert judged(0.9, coverage=0.5) is None
    assert judged(0.9, harmony=0.8) is None
    assert judged(0.9, speed=1.06) == "altered"
    assert judged(0.25, likeness=0.5, semitones=1) == "altered"
    assert judged(0.1, likeness=0.5, semitones=1) is None
    assert judged(0.9, range_lu=0.6) == "remaster"
    assert judged(0.7, range_lu=0.6) == "version"
    assert judged(0.9, speed=1.06, range_lu=0.6) == "altered"
    assert judged(0.9, range_lu=0.1) == "same"
    assert judged(0.9, coverage=0.9, range_lu=0.6) == "same"  # the cut may be why
    assert judged(0.4, likeness=0.7) == "version"
    assert judged(0.2, likeness=0.7) is None


def test_tags_name_a_kind_that_the_sound_allows() -> None:
    plain = Tags(title="Alive", album="Deliver Us")
    live, remaster = Tags(title="Alive (Live)"), Tags(title="Alive", album="Hits [Re-Mastered]")
    assert (
        kind_with_tags("version", plain, live) == kind_with_tags("altered", live, plain) == "live"
    )
    assert kind_with_tags("version", live, live) == "version"  # both say so: two concerts
    assert kind_with_tags("same", plain, live) == "same"
    assert kind_with_tags("same", remaster, plain) == "remaster"
    assert kind_with_tags("version", remaster, plain) == "version"


def test_loudness_ranges_are_compared() -> None:
    music, own = windows(course_of_music(0, 40)), unit(np.ones((1, 576), np.float32))[0]
    for other_lu, apart in ((4.5, 1.5), (None, None)):
        found = compare(DuplicateFeatures(music, own, 6.0), DuplicateFeatures(music, own, other_lu))
        assert found is not None
        assert found[1].range_lu == apart


def test_the_transposition_is_told() -> None:
    from mess_plugin.facets import harmony

    rng = np.random.default_rng(3)
    own = unit(rng.random((1, 4 * 144)).astype(np.float32) - 0.5)
    music = windows(course_of_music(0, 40))
    found = compare(
        DuplicateFeatures(music, own[0]), DuplicateFeatures(music, harmony.transposed(own, 11)[0])
    )
    assert found is not None
    assert found[1].semitones == -1
    assert found[1].harmony == pytest.approx(1.0, abs=1e-4)
