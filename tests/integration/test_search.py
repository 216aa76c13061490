"""Questions to a library of chosen vectors in a real database."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.projection import CENTRE_FROM
from mess_plugin.config import Settings
from mess_plugin.errors import AmbiguousReference, MessError, UsageError
from mess_plugin.model import Float32, Interval, Level, LevelVectors, Space, Tags
from mess_plugin.search import search
from mess_plugin.search.nearest import nearest
from mess_plugin.search.references import find_track
from mess_plugin.spaces.refit import refit
from mess_plugin.store import Store, open_store
from tests.audio_files import music, write_audio
from tests.stored_library import (
    DIM,
    RECIPE,
    add_track,
    fill,
    levels_of,
    random_unit,
    raw_space,
    settings,
)

N = 12


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    return settings(tmp_path / "home")


@pytest.fixture
def space(store: Store) -> Space:
    return raw_space(store)


def even(vector: Float32) -> dict[Level, LevelVectors]:
    """A recording that is the same from beginning to end, at every level."""
    return {
        level: LevelVectors(
            vectors.intervals, np.repeat(vector[None], len(vectors.vectors), 0), vectors.labels
        )
        for level, vectors in levels_of(0).items()
    }


@pytest.fixture
def ids(store: Store, space: Space) -> list[int]:
    """Tracks whose songs turn away from the first one, step by step."""
    first, side = random_unit(2, seed=9)
    side = unit((side - (side @ first) * first)[None])[0]
    with store.transaction():
        return [
            add_track(
                store,
                space,
                f"/music/artist {n % 3}/{n:02d}.mp3",
                even((math.cos(n / 10) * first + math.sin(n / 10) * side).astype("f4")),
                Tags(title=f"Song {n}", artist=f"Artist {n % 3}"),
            )
            for n in range(N)
        ]


def test_an_empty_library_says_what_to_do(store: Store, house: Settings) -> None:
    with pytest.raises(UsageError, match="nothing is indexed with the encoder descriptors"):
        search(store, house, "anything")


def test_an_only_track_has_no_match(store: Store, house: Settings, space: Space) -> None:
    add_track(store, space, "/music/a.mp3", levels_of(1), Tags(title="Alone"))
    for scope in (Level.SONG, Level.SECTION):
        assert search(store, house, "alone", scope=scope).matches == ()
    assert search(store, house, "alone", interval=Interval(0, 10)).matches == ()


@pytest.mark.parametrize("exact_below", [0, 20_000])
def test_songs_come_in_order_without_the_seed(
    store: Store, tmp_path: Path, ids: list[int], exact_below: int
) -> None:
    house = settings(tmp_path, exact_below=exact_below)
    answer = search(store, house, str(ids[0]), k=5)
    assert [match.track.id for match in answer.matches] == ids[1:6]
    assert [match.rank for match in answer.matches] == [1, 2, 3, 4, 5]
    for n, match in enumerate(answer.matches, start=1):
        assert match.score == pytest.approx(math.cos(n / 10), abs=2e-3)
        parts = [reason for reason in match.reasons if reason.kind != "section"]
        assert [reason.kind for reason in parts] == ["song", "windows", "course"]
        assert sum(reason.value for reason in parts) == pytest.approx(match.score)
        assert match.query_section is not None
        assert match.match_section is not None
    assert len(search(store, house, str(ids[0]), k=1000).matches) == N - 1


def test_path_id_and_words_mean_the_same(store: Store, house: Settings, ids: list[int]) -> None:
    answers = [
        search(store, house, ref).matches
        for ref in ("/music/artist 0/03.mp3", str(ids[3]), f"mess:{ids[3]}", "ARTIST 0 song 3")
    ]
    assert all(matches == answers[0] for matches in answers)
    assert ids[3] not in {match.track.id for match in answers[0]}


@pytest.mark.parametrize("interval", [None, Interval(5, 20)])
def test_sections_of_each_track_come_once(
    store: Store, house: Settings, ids: list[int], interval: Interval | None
) -> None:
    answer = search(store, house, str(ids[0]), k=8, scope=Level.SECTION, interval=interval)
    found = [match.track.id for match in answer.matches]
    assert len(found) == len(set(found)) == 8
    assert ids[0] not in found
    scores = [match.score for match in answer.matches]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_one_long_track_does_not_fill_all_the_places(
    store: Store, house: Settings, space: Space, ids: list[int]
) -> None:
    """A mix of hours whose every part is nearer than any other track."""
    seed = store.embeddings.of_track(space, Level.SECTION, ids[0]).vectors[0]
    windows = store.embeddings.of_track(space, Level.WINDOW, ids[0]).vectors
    n = 400
    starts = np.arange(n, dtype=np.float32) * 10
    parts = np.stack((starts, starts + 10), axis=1)
    levels = levels_of(99, duration_s=10.0 * n)
    near = unit(seed + 0.01 * random_unit(n, seed=3))
    levels[Level.SECTION] = LevelVectors(parts, near, ("A",) * n)
    levels[Level.WINDOW] = LevelVectors(parts, np.resize(windows, (n, DIM)))
    add_track(store, space, "/music/mix.mp3", levels)
    for interval in (None, Interval(0, 30)):
        answer = search(store, house, str(ids[0]), k=N, scope=Level.SECTION, interval=interval)
        assert len(answer.matches) == N
        assert answer.matches[0].track.path == "/music/mix.mp3"


def test_a_stretch_is_cut_off_at_the_end(store: Store, house: Settings, ids: list[int]) -> None:
    answer = search(store, house, str(ids[0]), interval=Interval(20, math.inf))
    assert answer.interval == Interval(20, 30)
    for match in answer.matches:
        assert match.query_section == Interval(20, 30)
        assert match.match_section is not None
        assert 0 <= match.match_section.start_s < match.match_section.end_s <= 30


@pytest.mark.parametrize(
    ("start_s", "end_s", "message"),
    [
        (10, 10, "before it starts"),
        (20, 10, "before it starts"),
        (30, 40, "is 30.0 s long"),
        (-1, 10, "starts at -1 s"),
        (math.nan, 10, "the start of the section is nan"),
        (0, math.nan, "the end of the section is nan"),
        (math.inf, math.inf, "before it starts"),
    ],
)
def test_an_impossible_stretch_is_refused(
    store: Store, house: Settings, ids: list[int], start_s: float, end_s: float, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        search(store, house, str(ids[0]), interval=Interval(start_s, end_s))


def test_a_silent_stretch_is_refused(store: Store, house: Settings, space: Space) -> None:
    levels = levels_of(1, duration_s=60)
    windows = levels[Level.WINDOW]
    heard = (windows.intervals[:, 1] <= 20) | (windows.intervals[:, 0] >= 40)
    levels[Level.WINDOW] = LevelVectors(windows.intervals[heard], windows.vectors[heard])
    add_track(store, space, "/music/a.mp3", levels, Tags(title="Pause"))
    with pytest.raises(UsageError, match="Pause is silent from 25 s to 35 s"):
        search(store, house, "pause", interval=Interval(25, 35))


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_k_has_bounds(store: Store, house: Settings, ids: list[int], k: int) -> None:
    with pytest.raises(UsageError, match="wanted 1 to 1000"):
        search(store, house, str(ids[0]), k=k)


def test_words_with_several_matches_list_them(store: Store, ids: list[int]) -> None:
    with pytest.raises(AmbiguousReference) as caught:
        find_track(store, "artist 1")
    for n in (1, 4, 7, 10):
        assert f"{ids[n]}  Artist 1 – Song {n}" in str(caught.value)
    with pytest.raises(AmbiguousReference, match="and 4 more"):
        find_track(store, "song")
    assert find_track(store, "song 1") == ids[1]  # also "Song 10" and "Song 11" hold the words


def test_an_exact_title_is_found_among_any_number(store: Store, space: Space) -> None:
    titles = ["Élan", *(f"Élan vital {n}" for n in range(20))]
    with store.transaction():
        found = [
            add_track(store, space, f"/music/{n}.mp3", levels_of(n), Tags(title=title))
            for n, title in enumerate(titles)
        ]
    assert find_track(store, " éLAN ") == found[0]
    add_track(store, space, "/music/other.mp3", levels_of(99), Tags(title="élan"))
    with pytest.raises(AmbiguousReference, match="and 14 more"):
        find_track(store, "Élan")


def test_an_exact_file_name_and_what_tables_show_are_found_among_others(
    store: Store, space: Space
) -> None:
    files = [
        ("/music/one/blue.mp3", Tags()),
        ("/music/two/blue moon.mp3", Tags()),
        ("/music/three/x.mp3", Tags(title="Blue", artist="Eve", album="Sky")),
        ("/music/four/y.mp3", Tags(title="Blue", artist="Eve", album="Sky (live)")),
    ]
    with store.transaction():
        blue, moon, plain, live = (
            add_track(store, space, path, levels_of(n), tags)
            for n, (path, tags) in enumerate(files)
        )
    assert find_track(store, "blue.mp3") == find_track(store, "BLUE.MP3") == blue
    assert find_track(store, "blue") == blue  # two titles are that as well, but one file name
    assert find_track(store, "blue moon") == moon
    assert find_track(store, "Eve – Blue (Sky)") == plain
    assert find_track(store, "Eve – Blue (Sky (live))") == live
    with pytest.raises(AmbiguousReference, match="names several"):
        find_track(store, "eve")


def test_a_question_during_a_switch_is_answered_in_the_new_space(
    store: Store,
    database_url: str,
    house: Settings,
    space: Space,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The space that was chosen is gone before its vectors are looked at."""
    ids = fill(store, space, CENTRE_FROM)
    first = refit(store, RECIPE, force=True)
    assert first is not None
    spaces: list[Space] = []

    def late(store: Store, settings: Settings, space: Space, *rest: Any) -> Any:
        spaces.append(space)
        if len(spaces) == 1:
            with open_store(database_url) as other:
                assert refit(other, RECIPE, force=True) is not None
        return nearest(store, settings, space, *rest)

    monkeypatch.setattr("mess_plugin.search.candidates.nearest", late)
    answer = search(store, house, str(ids[0]), k=3)
    assert len(answer.matches) == 3
    assert spaces[0] == first
    assert answer.space == spaces[1] != first


def test_recipes_that_come_to_the_same_have_spaces_of_their_own(
    store: Store, tmp_path: Path
) -> None:
    """One names the layers that the encoder would choose anyway."""
    explicit = RECIPE.replace("||", "|none|")
    first, second = raw_space(store), raw_space(store, recipe=explicit)
    assert first.id != second.id
    assert raw_space(store, recipe=explicit) == second
    for layers, space in ((None, first), ("none", second)):
        seed, other = (
            add_track(store, space, f"/music/{space.id}/{n}.mp3", levels_of(n)) for n in range(2)
        )
        answer = search(store, settings(tmp_path, layers=layers), str(seed))
        assert answer.space == space
        assert [match.track.id for match in answer.matches] == [other]


def test_misspelt_words_get_suggestions(store: Store, ids: list[int]) -> None:
    with pytest.raises(UsageError, match=f"did you mean …[?](.|\n)*{ids[7]}  Artist 1 – Song 7"):
        find_track(store, "artst 1 sogn 7")


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("", "names nothing"),
        ("  ", "names nothing"),
        ("/music/none.mp3", "no such file"),
        ("~nobody-of-this-name/x", "is called"),
        ("999999999999999999999", "is called"),
        ("100%_", "is called"),
        ("nul\0byte", "is called"),
        ("half \ud800 a pair of", "is called"),
        ("zzzzqqqq", "is called"),
    ],
)
def test_odd_references_get_one_clear_line(
    store: Store, house: Settings, ids: list[int], ref: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        search(store, house, ref)


def test_a_failed_file_says_why(
    store: Store, house: Settings, ids: list[int], tmp_path: Path
) -> None:
    from tests.stored_library import want

    path = tmp_path / "bad.mp3"
    path.write_bytes(b"x")
    (job_id,) = want(store, str(path))
    store.jobs.start(job_id)
    store.jobs.fail(job_id, "damaged", "it ends after 0 s")
    with pytest.raises(UsageError, match=r"could not be indexed: it ends after 0 s"):
        search(store, house, str(path))


def test_a_copy_of_a_known_recording_is_that_recording(
    store: Store, house: Settings, tmp_path: Path
) -> None:
    """Heard on the fly by a real encoder, and not stored."""
    from uuid import uuid4

    from mess_plugin import encoders
    from mess_plugin.library.index import index
    from mess_plugin.library.walk import Walk
    from mess_plugin.spaces.recipe import Recipe

    folder = tmp_path / "music"
    folder.mkdir()
    for n in range(3):
        write_audio(folder / f"{n}.flac", music(10, 24000, channels=1, seed=n), 24000)
    files = list(Walk([str(folder)]))
    encoder = encoders.load("descriptors")
    for job_id in store.jobs.enqueue(files, str(Recipe.of(house)), uuid4()).job_ids:
        job = store.jobs.start(job_id)
        assert job is not None
        assert index(store, job, encoder, limit_s=None).outcome == "encoded"
    copy = Path(shutil.copy(folder / "0.flac", tmp_path / "copy.flac"))
    by_copy = search(store, house, str(copy))
    assert by_copy.seeds[0].seed.track is not None
    assert by_copy.matches == search(store, house, str(folder / "0.flac")).matches
    stranger = write_audio(tmp_path / "new.flac", music(11, 24000, channels=1, seed=0), 24000)
    by_stranger = search(store, house, str(stranger))
    assert by_stranger.seeds[0].seed.track is None
    assert by_stranger.matches[0].track.path == str(folder / "0.flac")
    assert store.library.count()[:2] == (3, 3)
    (tmp_path / "text.mp3").write_text("no music")
    with pytest.raises(MessError, match=r"text\.mp3"):
        search(store, house, str(tmp_path / "text.mp3"))
