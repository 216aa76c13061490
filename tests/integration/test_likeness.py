"""Likeness: a percentage that means the same for everybody who reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mess_plugin.config import Settings
from mess_plugin.model import Interval, Match, Space
from mess_plugin.search import Query, search
from mess_plugin.search.likeness import LEAST_TRACKS
from mess_plugin.store import Store, open_store
from tests.stored_library import add_track, levels_of, made_up_facets, raw_space, settings

N = 40


@dataclass
class Shelf:
    store: Store
    settings: Settings
    space: Space
    tracks: list[int]

    def add(self, n: int) -> None:
        for number in range(len(self.tracks), len(self.tracks) + n):
            track = add_track(self.store, self.space, f"/m/{number}.flac", levels_of(number))
            self.store.facets.write(track, made_up_facets(number))
            self.tracks.append(track)

    def answers(
        self, seed: int, query: Query | None = None, interval: Interval | None = None
    ) -> dict[int, Match]:
        found = search(
            self.store, self.settings, str(seed), query, k=500, interval=interval
        ).matches
        return {match.track.id: match for match in found}


@pytest.fixture
def shelf(database_url: str, tmp_path: Path) -> Iterator[Shelf]:
    with open_store(database_url) as store:
        yield Shelf(store, settings(tmp_path, database_url=database_url), raw_space(store), [])


@pytest.mark.parametrize("query", [None, Query(only=("rhythm",)), Query({"harmony": 2.0})], ids=str)
def test_it_is_the_share_of_pairs_that_are_less_alike(shelf: Shelf, query: Query | None) -> None:
    shelf.add(N)
    every = {(a, b): one for a in shelf.tracks for b, one in shelf.answers(a, query).items()}
    scores = np.zeros(N * (N - 1) // 2)  # by facets alone, what is not alike at all does not answer
    found = [one.score for (a, b), one in every.items() if a < b]
    scores[: len(found)] = found
    assert len(found) > len(scores) / 3
    for (a, b), one in every.items():
        less = float(np.mean(scores < one.score - 1e-5))
        most = float(np.mean(scores < one.score + 1e-5))
        assert one.likeness is not None
        assert less - 1e-6 <= one.likeness <= most + 1e-6
        assert one.likeness == pytest.approx(every[b, a].likeness, abs=most - less + 1e-6)


def test_what_is_asked_against_or_liked_changes_no_likeness(shelf: Shelf) -> None:
    shelf.add(N)
    first, other = shelf.tracks[:2]
    plain = shelf.answers(first)
    for track_id, match in shelf.answers(first, Query(against=(str(other),))).items():
        assert match.likeness == plain[track_id].likeness


def test_a_small_library_has_none(shelf: Shelf) -> None:
    shelf.add(LEAST_TRACKS - 1)
    assert {one.likeness for one in shelf.answers(shelf.tracks[0]).values()} == {None}
    shelf.add(1)
    assert all(one.likeness is not None for one in shelf.answers(shelf.tracks[0]).values())


def test_it_stays_while_the_library_grows(shelf: Shelf) -> None:
    shelf.add(80)
    before = shelf.answers(shelf.tracks[0])
    shelf.add(10)
    assert all(
        one.likeness == before[track_id].likeness
        for track_id, one in shelf.answers(shelf.tracks[0]).items()
        if track_id in before
    )
    shelf.add(60)
    after = shelf.answers(shelf.tracks[0])
    apart = [abs(after[i].likeness - one.likeness) for i, one in before.items()]  # type: ignore[operator]
    assert max(apart) < 0.1


def test_stretches_have_one_too(shelf: Shelf) -> None:
    shelf.add(N)
    found = shelf.answers(shelf.tracks[0], interval=Interval(0.0, 5.0))
    likeness = [one.likeness for one in sorted(found.values(), key=lambda one: one.rank)]
    assert None not in likeness
    assert likeness == sorted(likeness, reverse=True)  # type: ignore[type-var]
