"""The closer look: symmetric, bounded, and able to hear what the mean hides."""

from __future__ import annotations

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.facets import Facet
from mess_plugin.model import Float32, Level, LevelVectors, Space
from mess_plugin.search.rerank import (
    MAX_WINDOWS,
    SONG_ALONE,
    Profile,
    Side,
    ViewWeights,
    compare,
    profile,
    weights_of,
)

DIM = 16


def made(seed: int, n: int = 20) -> Profile:
    rng = np.random.default_rng(seed)
    vectors = unit((rng.standard_normal(DIM) + rng.standard_normal((n, DIM))).astype(np.float32))
    return of(vectors)


def of(vectors: Float32) -> Profile:
    intervals = np.zeros((len(vectors), 2), dtype=np.float32)
    return profile(unit(vectors.mean(axis=0)[None])[0], LevelVectors(intervals, vectors))


@pytest.mark.parametrize(("n", "m"), [(20, 20), (5, 300), (1, 20), (1, 1)])
def test_both_see_the_same(n: int, m: int) -> None:
    one, other = made(1, n), made(2, m)
    assert compare(one, other).score == pytest.approx(compare(other, one).score, abs=1e-6)
    assert compare(one, other).score <= 1


@pytest.mark.parametrize("n", [1, 2, 20])
def test_the_same_music_scores_one(n: int) -> None:
    assert compare(made(3, n), made(3, n)).score == pytest.approx(1, abs=1e-5)


def test_the_song_alone_is_the_cosine_of_the_songs() -> None:
    one, other = made(1), made(2)
    cosine = float(one.song @ other.song)
    assert compare(one, other, SONG_ALONE).score == pytest.approx(cosine, abs=1e-6)


def test_the_worse_way_counts_for_windows() -> None:
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((20, DIM)).astype(np.float32))
    part, whole = of(vectors[:4]), of(vectors)  # all of the part is in the whole, not conversely
    windows = (part.windows @ whole.windows.T).max(axis=0).mean()
    assert compare(part, whole).windows == pytest.approx(float(windows), abs=1e-5)
    assert compare(part, whole).windows < 0.7


def test_a_single_window_takes_no_turns_and_repeats_the_song() -> None:
    likeness = compare(made(1, 1), made(2, 20))
    assert likeness.course == pytest.approx(likeness.song)
    nothing = Profile(made(1).song, np.zeros((0, DIM), np.float32), np.zeros((0, DIM), np.float32))
    assert compare(nothing, made(2)).score == pytest.approx(compare(nothing, made(2)).song)


def test_hours_are_thinned_evenly() -> None:
    long = made(4, 5000)
    assert len(long.windows) == len(long.turns) == MAX_WINDOWS


def test_weights_weigh() -> None:
    one, other = made(1), made(2)
    likeness = compare(one, other, ViewWeights(windows=2.0, course=3.0))
    expected = (likeness.song + 2 * likeness.windows + 3 * likeness.course) / 6
    assert likeness.score == pytest.approx(expected)


@pytest.mark.parametrize(
    ("projection", "base_id", "parts"),
    [
        ("none", None, Level.WINDOW),
        ("fit-200-0", 1, Level.WINDOW),
        ("shipped-1", None, Level.SECTION),  # its windows are made for finding places
    ],
)
def test_parts_are_those_that_are_projected_like_songs(
    projection: str, base_id: int | None, parts: Level
) -> None:
    space = Space(2, "e", "1", "none", "mean", 5.0, 2.5, DIM, projection, base_id)
    assert weights_of(space).parts is parts


def test_several_are_compared_at_once_as_one_by_one() -> None:
    nothing = Profile(made(6).song, np.zeros((0, DIM), np.float32), np.zeros((0, DIM), np.float32))
    side = [made(1), nothing, made(2, 1), made(3, 40)]
    for other in (made(4), made(5, 1), nothing):
        together = Side(side).views(other)
        for one, views in zip(side, together, strict=True):
            alone = compare(one, other)
            assert views == pytest.approx((alone.song, alone.windows, alone.course), abs=1e-6)


def test_shares_add_up_to_one() -> None:
    assert ViewWeights(0.5, 1.0).shares == pytest.approx(
        {"song": 0.4, "windows": 0.2, "course": 0.4}
    )
    assert SONG_ALONE.shares == {"song": 1.0}
    with_facets = ViewWeights(0.5, 0.5, facets=0.1).shares
    assert with_facets["song"] == pytest.approx(0.4)
    assert all(with_facets[facet] == pytest.approx(0.04) for facet in Facet)
    assert sum(with_facets.values()) == pytest.approx(1)
