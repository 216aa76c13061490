"""Passage search: a stretch laid along synthetic tracks whose every moment is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mess_plugin.model import Float32, Interval, LevelVectors
from mess_plugin.passages import align, find_passages, windows_inside
from mess_plugin.pooling import unit
from mess_plugin.store.embeddings import Neighbour
from mess_plugin.windows import grid

WINDOW_S, HOP_S = 5.0, 2.5
DIM = 24


class Sound:
    """A smooth path through the space: what is heard at a moment depends on the moment alone."""

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.anchors = generator.standard_normal((200, DIM))

    def at(self, seconds: Float32) -> Float32:
        place = np.asarray(seconds) / 4.0 + 20.0
        left = np.floor(place).astype(int)
        share = (place - left)[:, None]
        between = (1 - share) * self.anchors[left] + share * self.anchors[left + 1]
        return unit(between.astype(np.float32))


def windows_of(sound: Sound, duration_s: float, shift_s: float = 0.0) -> LevelVectors:
    """The windows of a recording that plays the sound from shift_s on."""
    intervals = grid(duration_s, WINDOW_S, HOP_S)
    return LevelVectors(intervals, sound.at(intervals.mean(axis=1) + np.float32(shift_s)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1000), st.integers(-8, 8), st.integers(2, 6))
def test_a_passage_is_found_where_it_is(seed: int, hops: int, n_windows: int) -> None:
    sound = Sound(seed)
    shift_s = hops * HOP_S
    asked = Interval(30.0, 30.0 + n_windows * HOP_S + HOP_S)
    query = windows_inside(windows_of(sound, 90.0), asked)
    found = align(query, asked, 7, windows_of(sound, 90.0, shift_s))
    assert found.track_id == 7
    assert found.similarity == pytest.approx(1.0, abs=1e-5)
    # The refinement may move an exact hit by the asymmetry of its neighbours, never by half a hop.
    assert found.interval.start_s == pytest.approx(30.0 - shift_s, abs=HOP_S / 2)
    assert found.interval.duration_s == pytest.approx(asked.duration_s, abs=1e-3)


def test_a_start_between_two_hops_is_refined() -> None:
    errors_s, coarse_s = [], []
    for seed in range(30):
        sound = Sound(seed)
        shift_s = 10.0 + (seed % 5 - 2) * 0.5  # up to 1 s from a multiple of the hop
        asked = Interval(30.0, 50.0)
        query = windows_inside(windows_of(sound, 90.0), asked)
        found = align(query, asked, 1, windows_of(sound, 90.0, shift_s))
        errors_s.append(abs(found.interval.start_s - (30.0 - shift_s)))
        coarse_s.append(abs(shift_s - 10.0))
    assert np.mean(errors_s) < np.mean(coarse_s) / 2
    assert max(errors_s) < HOP_S / 2


def test_order_in_time_counts() -> None:
    sound = Sound(0)
    asked = Interval(20.0, 45.0)
    query = windows_inside(windows_of(sound, 60.0), asked)
    track = windows_of(sound, 60.0)
    backwards = LevelVectors(track.intervals, track.vectors[::-1].copy())
    assert align(query, asked, 1, track).similarity > align(query, asked, 2, backwards).similarity


def test_hanging_over_the_end_counts_as_unlike() -> None:
    sound = Sound(1)
    asked = Interval(0.0, 40.0)
    query = windows_inside(windows_of(sound, 40.0), asked)
    half = windows_of(sound, 20.0)  # the same music, cut off in the middle
    found = align(query, asked, 1, half)
    assert 0.3 < found.similarity < 0.75
    assert found.interval.start_s == 0
    assert found.interval.end_s <= 20.0


def test_an_irregular_last_window_does_no_harm() -> None:
    sound = Sound(2)
    asked = Interval(10.0, 30.0)
    query = windows_inside(windows_of(sound, 61.3), asked)
    found = align(query, asked, 1, windows_of(sound, 33.7))
    assert found.interval.start_s == pytest.approx(10.0, abs=HOP_S / 2)
    assert found.interval.end_s <= 33.7 + 1e-4


@pytest.mark.parametrize(
    ("interval", "starts_s"),
    [
        (Interval(0, 10), [0, 2.5, 5]),
        (Interval(2.5, 7.5), [2.5]),
        (Interval(3, 6), [2.5]),  # no window lies inside: the one that covers it best
        (Interval(11.9, 12.1), [10]),
        (Interval(58, 60), [55]),
    ],
)
def test_the_windows_of_an_interval(interval: Interval, starts_s: list[float]) -> None:
    found = windows_inside(windows_of(Sound(0), 60.0), interval)
    assert found.intervals[:, 0].tolist() == starts_s
    assert len(found.vectors) == len(starts_s)


class Library:
    """Tracks in memory, searched as the store does it."""

    def __init__(self, tracks: dict[int, LevelVectors]) -> None:
        self.tracks = tracks

    def candidates(self, vector: Float32, limit: int) -> list[Neighbour]:
        hits = [
            Neighbour(track_id, row, Interval(*windows.intervals[row].tolist()), "", float(cosine))
            for track_id, windows in self.tracks.items()
            for row, cosine in enumerate(windows.vectors @ vector)
        ]
        return sorted(hits, key=lambda hit: -hit.similarity)[:limit]

    def windows(self, track_ids: Sequence[int]) -> dict[int, LevelVectors]:
        return {track_id: self.tracks[track_id] for track_id in track_ids}


def test_the_track_that_holds_the_passage_comes_first_and_each_comes_once() -> None:
    sound = Sound(0)
    library = Library({n: windows_of(Sound(n), 80.0) for n in range(1, 12)})
    library.tracks[42] = windows_of(sound, 80.0, 12.5)
    query = windows_of(sound, 80.0)
    found = find_passages(query, Interval(30, 50), library.candidates, library.windows, 5)
    assert found[0].track_id == 42
    assert found[0].interval.start_s == pytest.approx(17.5, abs=HOP_S / 2)
    assert len({passage.track_id for passage in found}) == len(found) == 5
    similarities = [passage.similarity for passage in found]
    assert similarities == sorted(similarities, reverse=True)
    assert all(math.isfinite(value) for value in similarities)


def test_no_other_track_gives_no_passage() -> None:
    query = windows_of(Sound(0), 30.0)
    assert find_passages(query, Interval(0, 10), lambda *_: [], lambda _ids: {}, 5) == []


def test_a_track_that_vanished_meanwhile_is_left_out() -> None:
    library = Library({1: windows_of(Sound(1), 40.0), 2: windows_of(Sound(2), 40.0)})
    gone = LevelVectors(np.zeros((0, 2), np.float32), np.zeros((0, DIM), np.float32))

    def windows(track_ids: Sequence[int]) -> dict[int, LevelVectors]:
        return {**library.windows(track_ids), 1: gone}

    query = windows_of(Sound(0), 40.0)
    found = find_passages(query, Interval(0, 20), library.candidates, windows, 5)
    assert [passage.track_id for passage in found] == [2]
