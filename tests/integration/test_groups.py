"""Albums and artists as answers, in a real database with chosen vectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.model import LevelVectors, Tags
from mess_plugin.search import MAX_K, Filters, Query, search
from mess_plugin.search.groups import mean_score, similar_groups
from mess_plugin.store import Store, open_store
from tests.stored_library import add_track, levels_of, random_unit, raw_space, settings

ALBUMS = {
    # album: (artist of each track, how near each track is to the first album, 1 being the same)
    "Dawn": (["Ann", "Ann", "Ann"], [1.0, 1.0, 1.0]),
    "Dusk": (["Ben", "Ben"], [0.8, 0.8]),
    "Noon": (["Cy", "Cy", "Cy"], [0.95, 0.1, 0.1]),
    "Dusk (live)": (["Ben", "Dee"], [0.5, 0.5]),
}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        space = raw_space(opened)
        (towards,) = random_unit(1, seed=1)
        with opened.transaction():
            for album, (artists, shares) in ALBUMS.items():
                owner = "Various" if len(set(artists)) > 1 else None
                for n, (artist, share) in enumerate(zip(artists, shares, strict=True)):
                    path = f"/music/{album}/{n}.mp3"
                    away = random_unit(1, seed=hash_of(path))[0]
                    vector = unit((share * towards + (1 - share) * away)[None])[0]
                    levels = {
                        level: LevelVectors(
                            own.intervals, np.repeat(vector[None], len(own.vectors), 0), own.labels
                        )
                        for level, own in levels_of(n).items()
                    }
                    tags = Tags(
                        title=f"{album} {n}", artist=artist, album=album, album_artist=owner
                    )
                    add_track(opened, space, path, levels, tags)
            add_track(opened, space, "/music/single.mp3", levels_of(77), Tags(title="single"))
        yield opened


def hash_of(text: str) -> int:
    return sum(text.encode())


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    return settings(tmp_path / "home")


def test_an_album_scores_the_mean_of_its_tracks(store: Store, house: Settings) -> None:
    result = similar_groups(store, house, ["dawn"], by="album")
    assert result.seeds == ("Dawn",)
    assert [match.name for match in result.matches] == ["Dusk", "Dusk (live)", "Noon"]
    assert [len(match.tracks) for match in result.matches] == [2, 2, 3]
    assert [match.artist for match in result.matches] == ["Ben", "Various", "Cy"]
    assert result.matches[2].closest.track.title == "Noon 0"  # though it is nearest of all tracks
    assert result.matches[2].closest.rank == 1

    refs = [f"Dawn {n}" for n in range(3)]
    scores: dict[str | None, list[float]] = defaultdict(list)
    for match in search(store, house, refs, k=MAX_K).matches:
        scores[match.track.tags.album].append(match.score)
    for found in result.matches:
        assert found.score == pytest.approx(np.mean(scores[found.name]))


def test_artists_answer_artists_whatever_names_them(store: Store, house: Settings) -> None:
    by_name = similar_groups(store, house, ["ANN"], by="artist")
    assert [match.name for match in by_name.matches] == ["Ben", "Dee", "Cy"]
    assert [len(match.tracks) for match in by_name.matches] == [3, 1, 3]
    assert all(match.artist is None for match in by_name.matches)
    by_track = similar_groups(store, house, ["dawn 1"], by="artist")
    assert by_track.seeds == ("Ann",)
    assert by_track.matches == by_name.matches
    two = similar_groups(store, house, ["Ann", "Ben"], by="artist")
    assert {match.name for match in two.matches} == {"Cy", "Dee"}


def test_pages_and_filters(store: Store, house: Settings) -> None:
    whole = similar_groups(store, house, ["Dawn"], by="album").matches
    page = similar_groups(store, house, ["Dawn"], by="album", k=1, offset=1)
    assert page.matches == whole[1:2]
    assert page.n_groups == 3
    filtered = similar_groups(
        store, house, ["Dawn"], Query(filters=Filters(artist="dee")), by="album"
    )
    assert [match.name for match in filtered.matches] == ["Dusk (live)"]
    assert filtered.matches[0].score == pytest.approx(filtered.matches[0].closest.score)


def test_names_that_do_not_do_are_refused(store: Store, house: Settings) -> None:
    assert similar_groups(store, house, ["dusk"], by="album").seeds == ("Dusk",)  # the exact name
    with pytest.raises(UsageError, match=r"'d' names several albums.*\n  Dawn\n  Dusk"):
        similar_groups(store, house, ["d"], by="album")
    with pytest.raises(UsageError, match="single has no album in its tags"):
        similar_groups(store, house, ["single"], by="album")
    with pytest.raises(UsageError, match="did you mean"):
        similar_groups(store, house, ["dawm 1"], by="artist")
    with pytest.raises(UsageError, match="k is 0"):
        similar_groups(store, house, ["Dawn"], by="album", k=0)


def test_tracks_behind_the_end_of_the_answers_count_with_the_last_score() -> None:
    assert mean_score([0.8], 3, 0.2) == pytest.approx(0.4)
    assert mean_score([0.8], 3, None) == 0.8
    assert mean_score([0.8, 0.4], 1, 0.2) == pytest.approx(0.6)  # one of them was moved meanwhile
