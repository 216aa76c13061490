"""Passage search: a stretch laid along synthetic tracks whose every moment is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.windows import grid
from mess_plugin.model import Float32, Interval, LevelVectors
from mess_plugin.search.alignment import (
    PassageQuery,
    align,
    interpolated,
    passage_query,
    repeats,
    windows_inside,
)
from mess_plugin.search.passages import confidence, find_passages
from mess_plugin.store.embeddings import Neighbour

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


def stored(sound: Sound, duration_s: float, asked: Interval) -> PassageQuery:
    """A query of which only the stored windows are at hand."""
    return passage_query(windows_of(sound, duration_s), asked, None, WINDOW_S, HOP_S)


def heard(sound: Sound, duration_s: float, asked: Interval) -> PassageQuery:
    """A query whose audio is at hand."""

    def hear(intervals: Float32) -> Float32:
        return sound.at(intervals.mean(axis=1))

    return passage_query(windows_of(sound, duration_s), asked, hear, WINDOW_S, HOP_S)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1000), st.integers(-8, 8), st.integers(2, 6))
def test_a_passage_is_found_where_it_is(seed: int, hops: int, n_windows: int) -> None:
    sound = Sound(seed)
    shift_s = hops * HOP_S
    asked = Interval(30.0, 30.0 + n_windows * HOP_S + HOP_S)
    found = align(stored(sound, 90.0, asked), 7, windows_of(sound, 90.0, shift_s))
    assert found.track_id == 7
    assert found.similarity == pytest.approx(1.0, abs=1e-5)
    # The refinement may move an exact hit by the asymmetry of its neighbours, never by half a hop.
    assert found.interval.start_s == pytest.approx(30.0 - shift_s, abs=HOP_S / 2)
    assert found.interval.duration_s == pytest.approx(asked.duration_s, abs=1e-3)


@pytest.mark.parametrize("query", [stored, heard])
def test_a_start_between_two_hops_is_found(
    query: Callable[[Sound, float, Interval], PassageQuery],
) -> None:
    errors_s = []
    for seed in range(30):
        sound = Sound(seed)
        shift_s = 10.0 + (seed % 11 - 5) * 0.24  # up to 1.2 s from a multiple of the hop
        found = align(query(sound, 90.0, Interval(30.0, 50.0)), 1, windows_of(sound, 90.0, shift_s))
        errors_s.append(abs(found.interval.start_s - (30.0 - shift_s)))
    assert np.median(errors_s) < 0.25
    assert max(errors_s) < HOP_S / 2


def test_audio_at_hand_is_heard_at_every_part_of_the_hop() -> None:
    asked = Interval(30.0, 42.0)
    query = heard(Sound(0), 90.0, asked)
    firsts = [shift.intervals[0, 0] for shift in query.shifts]
    np.testing.assert_allclose(firsts, [30, 30.5, 31, 31.5, 32])
    for shift in query.shifts:
        assert shift.intervals[-1, 1] <= asked.end_s
        np.testing.assert_allclose(np.diff(shift.intervals[:, 0]), HOP_S)


def test_an_excerpt_shorter_than_a_window_asks_with_the_window_around_it() -> None:
    (only,) = heard(Sound(0), 90.0, Interval(30.5, 33.5)).shifts
    assert only.intervals.tolist() == [[30.0, 35.0]]


def test_windows_in_between_are_mixtures_of_unit_length() -> None:
    track = windows_of(Sound(3), 31.0)
    finer = interpolated(track)
    np.testing.assert_allclose(np.linalg.norm(finer.vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(finer.intervals[::5], track.intervals)
    np.testing.assert_allclose(finer.vectors[::5], track.vectors, atol=1e-6)
    assert (np.diff(finer.intervals[:, 0]) > 0).all()


class Loop(Sound):
    """The same ten seconds over and over."""

    def at(self, seconds: Float32) -> Float32:
        inside = np.abs((np.asarray(seconds) % 20.0) - 10.0)
        return super().at(inside.astype(np.float32))


def test_repeats_of_a_loop_are_named_and_nothing_else() -> None:
    track = windows_of(Loop(4), 90.0)
    found = repeats(track, Interval(20.0, 30.0))
    assert [one.start_s for one in found] == pytest.approx([0, 40, 60, 80], abs=0.6)
    assert repeats(windows_of(Sound(4), 90.0), Interval(20.0, 30.0)) == ()


def test_order_in_time_counts() -> None:
    sound = Sound(0)
    asked = Interval(20.0, 45.0)
    query = stored(sound, 60.0, asked)
    track = windows_of(sound, 60.0)
    backwards = LevelVectors(track.intervals, track.vectors[::-1].copy())
    assert align(query, 1, track).similarity > align(query, 2, backwards).similarity


def test_hanging_over_the_end_counts_as_unlike() -> None:
    sound = Sound(1)
    asked = Interval(0.0, 40.0)
    query = stored(sound, 40.0, asked)
    half = windows_of(sound, 20.0)  # the same music, cut off in the middle
    found = align(query, 1, half)
    assert 0.3 < found.similarity < 0.75
    assert found.interval.start_s == 0
    assert found.interval.end_s <= 20.0


def test_an_irregular_last_window_does_no_harm() -> None:
    sound = Sound(2)
    asked = Interval(10.0, 30.0)
    found = align(stored(sound, 61.3, asked), 1, windows_of(sound, 33.7))
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
    query = stored(sound, 80.0, Interval(30, 50))
    found = find_passages(query, library.candidates, library.windows, 5)
    assert found[0].passage.track_id == 42
    assert found[0].passage.interval.start_s == pytest.approx(17.5, abs=0.5)
    assert found[0].confidence is not None
    assert found[0].confidence > 0.9
    assert all(one.confidence is not None and one.confidence < 0.05 for one in found[1:])
    assert len({one.passage.track_id for one in found}) == len(found) == 5
    similarities = [one.passage.similarity for one in found]
    assert similarities == sorted(similarities, reverse=True)
    assert all(math.isfinite(value) for value in similarities)


def test_no_other_track_gives_no_passage() -> None:
    query = stored(Sound(0), 30.0, Interval(0, 10))
    assert find_passages(query, lambda *_: [], lambda _ids: {}, 5) == []


def test_a_track_that_vanished_meanwhile_is_left_out() -> None:
    library = Library({1: windows_of(Sound(1), 40.0), 2: windows_of(Sound(2), 40.0)})
    gone = LevelVectors(np.zeros((0, 2), np.float32), np.zeros((0, DIM), np.float32))

    def windows(track_ids: Sequence[int]) -> dict[int, LevelVectors]:
        return {**library.windows(track_ids), 1: gone}

    query = stored(Sound(0), 40.0, Interval(0, 20))
    found = find_passages(query, library.candidates, windows, 5)
    assert [one.passage.track_id for one in found] == [2]
    assert found[0].confidence is None  # nothing to compare with


def test_confidence_grows_with_the_lead_over_the_best_other_track() -> None:
    scores = [0.9, 0.5, 0.4]
    sure = [confidence(scores, rank) for rank in range(3)]
    assert sure == pytest.approx([0.94, 0.01, 0.01], abs=0.01)
    assert confidence([0.9, 0.9], 0) == confidence([1.0, 1.0], 0) == sure[1]
    assert confidence([0.4, -0.2], 0) == confidence([0.4, 0.0], 0)
    assert confidence([1.0, 0.0], 0) == pytest.approx(0.99, abs=0.01)
