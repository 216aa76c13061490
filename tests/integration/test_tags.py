"""Tags of a real library: read without hearing again, filtered by, told, taken to another encoder."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest
from msgspec.structs import replace

from mess_plugin.embedded import Endpoints
from mess_plugin.errors import UsageError
from mess_plugin.heads import tags as module
from mess_plugin.heads.tags import ensure_tags, likeliest, tag_head
from mess_plugin.model import Level
from mess_plugin.search import Filters, Query, search
from mess_plugin.search.engine import answering_space
from mess_plugin.search.listing import list_tracks
from mess_plugin.store import open_store
from tests.integration.test_steering import Library
from tests.steering_library import SAMPLES, index_files, settings_for
from tests.stored_library import add_track, levels_of, raw_space


@pytest.fixture(scope="module")
def library(
    postgres_server: Endpoints, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    name = "mess_test_tags"
    url = postgres_server.database_url.replace("/mess?", f"/{name}?", 1)
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
        settings = replace(settings_for(url, tmp_path_factory.mktemp("home")), encoder="mess-mini")
        files = sorted(p for p in SAMPLES.rglob("*") if p.suffix in {".opus", ".mp3", ".ogg"})
        with open_store(url) as store:
            index_files(store, settings, files[:8])
            yield Library(store, settings, url)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_indexing_reads_them_and_filters_judge_by_them(library: Library) -> None:
    store = library.store
    every = {track.id for track in list_tracks(store).tracks}
    heard = store.tags.of(sorted(every))
    assert set(heard) == every  # without being asked for
    said = {tag for one in heard.values() for tag in one.tags}
    assert said
    for tag in said:
        having = {i for i, one in heard.items() if tag in one.tags}
        listed = list_tracks(store, filters=Filters(tags=(tag.upper(),)))
        assert {track.id for track in listed.tracks} == having
        rest = list_tracks(store, filters=Filters(excluded_tags=(tag,)))
        assert {track.id for track in rest.tracks} == every - having
    for one in heard.values():
        probable = dict(likeliest(one))
        assert list(one.tags) == [t for t, p in probable.items() if p >= tag_head().bar]


def test_what_older_versions_indexed_gets_its_tags_once(library: Library) -> None:
    store = library.store
    space = answering_space(store, library.settings)
    every = [track.id for track in list_tracks(store).tracks]
    before = store.tags.of(every)
    with psycopg.connect(library.url, autocommit=True) as admin:
        admin.execute("DELETE FROM track_tags")
        admin.execute("DELETE FROM space_heads")
    assert ensure_tags(store, space)
    after = store.tags.of(every)
    assert {i: one.tags for i, one in after.items()} == {i: one.tags for i, one in before.items()}


def test_shared_tags_are_a_reason_and_change_no_score(library: Library) -> None:
    store, settings = library.store, library.settings
    seed, *others = [track.id for track in list_tracks(store).tracks]
    heard = store.tags.of([seed, *others])
    found = search(store, settings, str(seed), Query(), k=20).matches
    for match in found:
        both = set(heard[seed].tags) & set(heard[match.track.id].tags)
        reasons = {reason.kind: reason for reason in match.reasons}
        assert ("tags" in reasons) == bool(both)
        parts = [r.value for r in match.reasons if r.kind in (*("song", "windows", "course"),)]
        assert sum(parts) <= match.score + 1e-6
    with psycopg.connect(library.url, autocommit=True) as admin:
        admin.execute("UPDATE track_tags SET tags = '{}'")
    bare = search(store, settings, str(seed), Query(), k=20).matches
    assert [(m.track.id, m.score) for m in bare] == [(m.track.id, m.score) for m in found]


def test_a_head_is_taken_to_another_encoder(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the tags that tracks have: vectors that hold the same are told the same."""
    monkeypatch.setattr(module, "_LEAST_TRACKS", 30)
    with open_store(database_url) as store:
        space = raw_space(store)
        assert not ensure_tags(store, space)
        with pytest.raises(UsageError, match="index with mess-mini first"):
            list_tracks(store, filters=Filters(tags=("jazz",)))
        tracks = [add_track(store, space, f"/m/{n}.flac", levels_of(n)) for n in range(200)]
        songs = store.embeddings.of_tracks(space, Level.SONG, tracks)
        vectors = np.stack([songs[i].vectors[0] for i in tracks])
        head = tag_head()
        rng = np.random.default_rng(5)
        width = vectors.shape[1]
        told = (vectors @ rng.standard_normal((width, len(head.labels)))).astype(np.float32)
        store.tags.save(
            head.version, [(i, [], row) for i, row in zip(tracks[:150], told, strict=False)]
        )
        assert ensure_tags(store, space)
        found = store.tags.of(tracks[150:])
        assert set(found) == set(tracks[150:])
        raw = np.stack([found[i].raw for i in tracks[150:]])
        agreed = [np.corrcoef(raw[:, i], told[150:, i])[0, 1] for i in range(len(head.labels))]
        assert min(agreed) > 0.8
