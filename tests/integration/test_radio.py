"""Radio: begins with an answer, mixes artists, drifts as asked, hears what is said, is never empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.model import Float32, Tags
from mess_plugin.playlists.radio import RadioStyle, first_of_radio, radio
from mess_plugin.search import Query, search
from mess_plugin.store import Store, open_store
from tests.stored_library import add_track, levels_of, random_unit, raw_space, settings

N, N_ARTISTS = 60, 6
STRICT = RadioStyle(strictness=1.0)


@dataclass
class Station:
    """60 tracks on a quarter of a great circle, by 6 artists with two albums each, in turns."""

    store: Store
    settings: Settings
    tracks: list[int]
    songs: Float32

    def artist(self, track_id: int) -> int:
        return self.tracks.index(track_id) % N_ARTISTS

    def album(self, track_id: int) -> tuple[int, int]:
        return self.artist(track_id), self.tracks.index(track_id) // N_ARTISTS % 2

    def first(self, n: int, seed: int = 0, **style: object) -> list[int]:
        made = first_of_radio(
            self.store, self.settings, [self.ref], Query(), n=n, seed=seed,
            style=RadioStyle(**style),  # type: ignore[arg-type]
        )  # fmt: skip
        return [track.id for track in made.tracks]

    @property
    def ref(self) -> str:
        return f"mess:{self.tracks[0]}"


def make(store: Store, home: Path, n_artists: int = N_ARTISTS) -> Station:
    space = raw_space(store)
    ends = random_unit(2, seed=3)
    shares = np.linspace(0, 1, N, dtype=np.float32)[:, None]
    noise = 0.05 * random_unit(N, seed=4)
    songs = unit(ends[0] * (1 - shares) + ends[1] * shares + noise)
    tracks = []
    for n in range(N):
        artist = n % n_artists
        tags = Tags(
            title=f"Song {n}", artist=f"Artist {artist}", album=f"Album {n // n_artists % 2}"
        )
        tracks.append(
            add_track(store, space, f"/music/{n}.flac", levels_of(n, song=songs[n]), tags)
        )
    return Station(store, settings(home, database_url="postgresql://unused"), tracks, songs)


@pytest.fixture
def station(database_url: str, tmp_path: Path) -> Iterator[Station]:
    with open_store(database_url) as store:
        yield make(store, tmp_path)


def test_it_begins_with_an_answer_of_the_search(station: Station) -> None:
    found = search(station.store, station.settings, station.ref, k=30)
    others = [m.track.id for m in found.matches if station.artist(m.track.id) != 0]
    assert station.first(1, strictness=1.0) == others[:1]


def test_artists_and_albums_are_mixed(station: Station) -> None:
    for anchor in ("seed", "vibe"):
        heard = [station.tracks[0], *station.first(25, seed=4, anchor=anchor)]
        for place in range(1, len(heard)):
            artists = [station.artist(one) for one in heard[max(0, place - 3) : place]]
            albums = [station.album(one) for one in heard[max(0, place - 8) : place]]
            assert station.artist(heard[place]) not in artists
            assert station.album(heard[place]) not in albums


def test_one_artist_alone_is_played_all_the_same(database_url: str, tmp_path: Path) -> None:
    with open_store(database_url) as store:
        alone = make(store, tmp_path, n_artists=1)
        made = first_of_radio(store, alone.settings, [alone.ref], Query(), n=70, seed=1)
    assert len(made.tracks) == N - 1
    assert made.notes == (
        "from track 1 on artists repeat sooner: too few others fit",
        f"no track is left after {N - 1}",
    )


def test_strictness(station: Station) -> None:
    assert station.first(10, seed=1, strictness=1.0) == station.first(10, seed=2, strictness=1.0)
    loose = [station.first(10, seed=seed, strictness=0.0) for seed in (1, 2, 1)]
    assert loose[0] == loose[2] != loose[1]

    def away(ids: list[int]) -> float:
        return float(np.mean([station.tracks.index(one) for one in ids]))

    assert away(station.first(10, strictness=1.0)) < away(station.first(10, strictness=0.0))


def test_the_vibe_moves_on_and_the_seed_stays(station: Station) -> None:
    ends = [
        np.mean([station.tracks.index(one) for one in station.first(30, seed, anchor=anchor)[-5:]])
        for anchor in ("seed", "vibe")
        for seed in (0,)
    ]
    assert ends[1] >= ends[0]
    near = {anchor: station.first(12, 3, anchor=anchor) for anchor in ("seed", "vibe")}
    assert near["seed"] != near["vibe"]


def test_another_list_each_day_and_columns_for_each_track(station: Station) -> None:
    made = first_of_radio(station.store, station.settings, [station.ref], Query(), n=8)
    assert len(made.fits) == len(made.tracks) == len(made.smoothness) + 1 == 8
    assert all(0 < fit <= 1 for fit in made.fits)
    days = [station.first(8, seed=739_000 + day) for day in range(2)]
    assert days[0] != days[1]
    for day in days:  # both stay in the nearer half
        assert np.mean([station.tracks.index(one) < N // 2 for one in day]) > 0.8


@pytest.mark.parametrize("word", ["skip", "dislike"])
def test_what_is_said_counts_at_once(station: Station, word: str) -> None:
    query = Query(listener="ann")
    plain = list(
        islice(radio(station.store, station.settings, [station.ref], query, style=STRICT), 6)
    )
    playing = radio(station.store, station.settings, [station.ref], query, style=STRICT)
    heard = [next(playing).id, next(playing).id]
    assert heard == [track.id for track in plain[:2]]
    station.store.verdicts.save("ann", station.tracks[0], plain[2].id, word)
    rest = [track.id for track in playing]
    assert plain[2].id not in rest
    assert len(rest) == N - 4


def test_wrong_styles_are_refused() -> None:
    with pytest.raises(UsageError, match="strictness is 2: wanted 0 to 1"):
        RadioStyle(strictness=2)
    with pytest.raises(UsageError, match="anchor"):
        RadioStyle(anchor="sea")  # type: ignore[arg-type]
