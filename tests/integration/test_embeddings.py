"""Vectors in a real database: what goes in comes out, and the nearest are the nearest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

from mess_plugin.errors import StoreError, UsageError
from mess_plugin.model import Level, LevelVectors, Projection
from mess_plugin.store import Store, open_store
from tests.stored_library import DIM, RECIPE, add_track, fill, levels_of, random_unit, raw_space

HALF_STEP = 2.0**-11  # relative rounding of a 16-bit float


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


def test_round_trip_at_half_precision(store: Store) -> None:
    space = raw_space(store)
    levels = levels_of(1, duration_s=31.3)
    track_id = add_track(store, space, "/m/a.mp3", levels)
    for level, written in levels.items():
        read = store.embeddings.of_track(space, level, track_id)
        np.testing.assert_allclose(read.vectors, written.vectors, rtol=HALF_STEP, atol=1e-7)
        np.testing.assert_array_equal(read.intervals, written.intervals)
        wanted = tuple(written.labels) or ("",) * len(written.vectors)
        assert tuple(read.labels) == wanted
        assert read.vectors.dtype == np.float32
        together = store.embeddings.of_tracks(space, level, [track_id, 999])
        np.testing.assert_array_equal(together[track_id].vectors, read.vectors)
        assert together[999].vectors.shape == (0, DIM)


def test_writing_again_replaces(store: Store) -> None:
    space = raw_space(store)
    track_id = add_track(store, space, "/m/a.mp3", levels_of(1, duration_s=60))
    with store.transaction():
        store.embeddings.write(space, track_id, levels_of(2, duration_s=20))
    assert len(store.embeddings.of_track(space, Level.WINDOW, track_id).vectors) == 7
    assert store.embeddings.count_up_to(space, Level.SONG, 10) == 1


def test_an_interrupted_write_leaves_what_was_there(store: Store) -> None:
    space = raw_space(store)
    track_id = add_track(store, space, "/m/a.mp3", levels_of(1))
    before = store.embeddings.of_track(space, Level.WINDOW, track_id)
    with contextlib.suppress(KeyboardInterrupt), store.transaction():
        store.embeddings.write(space, track_id, levels_of(2))
        raise KeyboardInterrupt
    after = store.embeddings.of_track(space, Level.WINDOW, track_id)
    np.testing.assert_array_equal(after.vectors, before.vectors)


def test_vectors_that_are_no_numbers_are_refused_whole(store: Store) -> None:
    space = raw_space(store)
    track_id = add_track(store, space, "/m/a.mp3", levels_of(1))
    bad = levels_of(2)
    bad[Level.SECTION].vectors[1, 3] = np.nan
    with pytest.raises(psycopg.DataError, match="NaN"), store.transaction():
        store.embeddings.write(space, track_id, bad)
    assert len(store.embeddings.of_track(space, Level.WINDOW, track_id).vectors) == 11


def test_exact_neighbours_equal_a_direct_computation(store: Store) -> None:
    space = raw_space(store)
    ids = fill(store, space, 30)
    query = random_unit(1, seed=77)[0]
    stored = np.stack([store.embeddings.of_track(space, Level.SONG, n).vectors[0] for n in ids])
    cosines = stored @ query / np.linalg.norm(stored, axis=1)
    wanted = [ids[row] for row in np.argsort(-cosines) if ids[row] != ids[4]][:10]
    found = store.embeddings.nearest(
        space, Level.SONG, query, 10, excluded_tracks=[ids[4]], exact=True
    )
    assert [hit.track_id for hit in found] == wanted
    np.testing.assert_allclose(
        [hit.similarity for hit in found], np.sort(np.delete(cosines, 4))[::-1][:10], atol=2e-3
    )


def test_spaces_and_levels_do_not_mix(store: Store) -> None:
    first, second = raw_space(store), raw_space(store, dim=24, recipe="mert||5/2.5")
    fill(store, first, 3)
    fill(store, second, 2, start=100)
    for space, n_tracks in ((first, 3), (second, 2)):
        query = random_unit(1, space.dim)[0]
        assert len(store.embeddings.nearest(space, Level.SONG, query, 99, exact=True)) == n_tracks
        assert store.embeddings.count_up_to(space, Level.SECTION, 99) == 3 * n_tracks
        assert store.embeddings.count_up_to(space, Level.WINDOW, 5) == 5


def test_a_vector_of_no_length_is_similar_to_nothing(store: Store) -> None:
    space = raw_space(store)
    levels = levels_of(1, song=np.zeros(DIM, dtype=np.float32))
    add_track(store, space, "/m/zero.mp3", levels)
    add_track(store, space, "/m/other.mp3", levels_of(2))
    found = store.embeddings.nearest(space, Level.SONG, random_unit(1)[0], 5, exact=True)
    assert found[-1].similarity == 0.0


def test_the_index_answers_like_the_exact_search_in_a_projected_space(store: Store) -> None:
    base = raw_space(store)
    ids = fill(store, base, 40)
    identity = Projection(np.zeros(DIM, np.float32), np.eye(DIM, dtype=np.float32), "test")
    space = store.spaces.add_projected(RECIPE, base, dict.fromkeys(Level, identity), 40)
    for number, track_id in enumerate(ids):
        with store.transaction():
            store.embeddings.write(space, track_id, levels_of(number))
    for level in Level:
        query = random_unit(1, seed=5)[0]
        exact, by_index = (
            store.embeddings.nearest(space, level, query, 8, excluded_tracks=ids[:3], exact=flag)
            for flag in (True, False)
        )
        assert [(hit.track_id, hit.ordinal) for hit in by_index] == [
            (hit.track_id, hit.ordinal) for hit in exact
        ]
        assert not {hit.track_id for hit in exact} & set(ids[:3])


def test_projections_come_back_bit_by_bit(store: Store) -> None:
    base = raw_space(store)
    generator = np.random.default_rng(0)
    maps = {
        level: Projection(
            generator.standard_normal(DIM).astype(np.float32),
            generator.standard_normal((DIM, 5)).astype(np.float32),
            "v1",
        )
        for level in Level
    }
    space = store.spaces.add_projected(RECIPE, base, maps, 1)
    assert (space.dim, space.base_id, space.projection) == (5, base.id, "v1")
    found = store.spaces.projections(space)
    for level, wanted in maps.items():
        np.testing.assert_array_equal(found[level].mean, wanted.mean)
        np.testing.assert_array_equal(found[level].matrix, wanted.matrix)
        assert found[level].version == "v1"
    assert store.spaces.projections(base) == {}


def test_a_sample_is_repeatable_and_spread_over_tracks(store: Store) -> None:
    space = raw_space(store)
    fill(store, space, 12)
    first, n_tracks = store.embeddings.sample(space, Level.WINDOW, 30)
    second, _ = store.embeddings.sample(space, Level.WINDOW, 30)
    np.testing.assert_array_equal(first, second)
    assert len(first) == 30
    assert n_tracks == 3  # 11 windows each
    nothing, none = store.embeddings.sample(raw_space(store, 8, "x||5/2.5"), Level.SONG, 9)
    assert (nothing.shape, none) == ((0, 8), 0)


def test_export_gives_paths_and_times_in_order(store: Store) -> None:
    space = raw_space(store)
    add_track(store, space, "/m/b\udcff.mp3", levels_of(1))
    add_track(store, space, "/m/a.mp3", levels_of(2))
    rows = list(store.embeddings.export(space, Level.SECTION))
    assert [row[0] for row in rows] == ["/m/a.mp3"] * 3 + ["/m/b\udcff.mp3"] * 3
    assert [row[1] for row in rows] == [0, 10, 20] * 2
    assert all(row[3].shape == (DIM,) for row in rows)


def test_one_raw_space_whoever_asks(store: Store, database_url: str) -> None:
    with open_store(database_url) as other:
        assert raw_space(store) == raw_space(other) == raw_space(store)
    assert len(store.spaces.all()) == 1


def test_database_errors_are_one_line(postgres_server: object, database_url: str) -> None:
    nobody = database_url.replace("mess@", "nobody:hidden@")
    with (
        pytest.raises(StoreError, match=r'refuses .role "nobody" does') as caught,
        open_store(nobody),
    ):
        pass
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unreadable_url_is_not_repeated() -> None:
    unreadable = open_store("postgresql:/mess:hidden@host/db")
    with pytest.raises(UsageError, match="MESS_DATABASE_URL") as caught, unreadable:
        pass
    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_vectors_of_another_width_never_enter_an_indexed_space(store: Store) -> None:
    base = raw_space(store)
    track_id = add_track(store, base, "/m/a.mp3", levels_of(1))
    narrow = Projection(np.zeros(DIM, np.float32), np.eye(DIM, 4, dtype=np.float32), "narrow")
    space = store.spaces.add_projected(RECIPE, base, dict.fromkeys(Level, narrow), 1)
    wide = {Level.SONG: LevelVectors(np.array([[0, 1]], np.float32), random_unit(1))}
    with pytest.raises(psycopg.DataError, match="dimensions"), store.transaction():
        store.embeddings.write(space, track_id, wide)
