"""Questions about a stretch, steered: what counts, who may answer, how varied the answers are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import psycopg
import pytest

from mess_plugin.audio import decode
from mess_plugin.audio.budget import Budget, within
from mess_plugin.embedded import Endpoints
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.model import Interval, Level, Match
from mess_plugin.search import Filters, Query, Range, Recording, search
from mess_plugin.search.references import find_track
from mess_plugin.search.stretch_facets import StretchFacets
from mess_plugin.store import open_store
from tests.integration.test_steering import Library
from tests.steering_library import SAMPLES, index_files, settings_for

STRETCH = Interval(12.0, 24.0)
FACTS = {"repeats", "tempo", "key"}


@pytest.fixture(scope="module")
def library(
    postgres_server: Endpoints, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    name = "mess_test_steered_sections"
    url = postgres_server.database_url.replace("/mess?", f"/{name}?", 1)
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
        settings = settings_for(url, tmp_path_factory.mktemp("home"))
        files = sorted(p for p in SAMPLES.rglob("*") if p.suffix in {".opus", ".mp3", ".ogg"})
        with open_store(url) as store:
            index_files(store, settings, files)
            yield Library(store, settings, url)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def ask(library: Library, k: int = 6, **words: object) -> tuple[Match, ...]:
    query = Query(**words)  # type: ignore[arg-type]
    found = search(library.store, library.settings, "nebula", query, k=k, interval=STRETCH)
    assert all(match.query_section == STRETCH for match in found.matches)
    return found.matches


def ids_of(library: Library, words: str) -> int:
    return find_track(library.store, words)


def ids(matches: tuple[Match, ...]) -> list[int]:
    return [match.track.id for match in matches]


def test_filters_decide_who_answers(library: Library) -> None:
    everything = ask(library, k=50)
    artist = next(match.track.tags.artist for match in everything[2:] if match.track.tags.artist)
    by_one = ask(library, k=50, filters=Filters(artist=artist))
    assert ids(by_one) == [m.track.id for m in everything if m.track.tags.artist == artist]
    assert 0 < len(by_one) < len(everything)
    with pytest.raises(UsageError, match="no track passes the filters"):
        ask(library, filters=Filters(artist="nobody at all"))


def test_what_counts_decides_the_order_and_adds_up(library: Library) -> None:
    plain = ask(library, k=20)
    rhythm = ask(library, k=20, only=("rhythm",))
    assert ids(plain) != ids(rhythm)
    mixed = ask(library, k=20, emphasis={"rhythm": 1.0, "timbre": 0.5})
    for matches in (plain, rhythm, mixed):
        assert [m.score for m in matches] == sorted((m.score for m in matches), reverse=True)
        for match in matches:
            parts = sum(reason.value for reason in match.reasons if reason.kind not in FACTS)
            assert match.score == pytest.approx(max(parts, 0), abs=1e-5)
    assert {r.kind for r in mixed[0].reasons} >= {"section", "rhythm", "timbre"}


def test_the_facets_are_those_of_the_stretch(library: Library) -> None:
    """The same sound as an upload is compared by the same facets as the stored stretch is."""
    path = library.store.library.get(library.store.library.find_words("nebula")[0])
    track = next(iter(path.values()))
    with decode(Path(track.paths[0]), 24000, interval=STRETCH) as decoding:
        sound = Recording("take", np.concatenate(list(decoding)), 24000)
    query = Query(only=("rhythm", "timbre"))
    whole = Interval(0.0, STRETCH.duration_s)
    upload = search(library.store, library.settings, sound, query, k=3, interval=whole)
    assert upload.matches[0].track.id == track.id
    assert upload.matches[0].score > 0.8
    stored = {m.track.id: m.score for m in ask(library, k=20, only=("rhythm", "timbre"))}
    both = [(m.score, stored[m.track.id]) for m in upload.matches[1:] if m.track.id in stored]
    assert both
    ours, theirs = np.transpose(both)
    assert np.allclose(ours, theirs, atol=0.1)


def test_being_unlike_another_track_and_varied_artists(library: Library) -> None:
    best = ask(library)[0]
    away = ask(library, k=20, against=(str(best.track.id),))
    assert best.track.id not in ids(away)
    assert all("unlike" in {r.kind for r in match.reasons} or match.score > 0 for match in away)
    artists = [match.track.tags.artist for match in ask(library, k=20, per_artist=1)]
    named = [artist for artist in artists if artist]
    assert len(named) == len(set(named)) > 2
    varied = ask(library, k=6, diversity=0.9)
    assert ids(varied)[0] == best.track.id
    assert ids(varied) != ids(ask(library))


def test_a_question_whose_time_is_over_ends(library: Library) -> None:
    """The facets of whole tracks stand in for files that are away, not for time that is."""
    budget = Budget()
    budget.end()
    with within(budget), pytest.raises(AudioError, match="Nobody waits"):
        search(
            library.store, library.settings, "farewell", Query(only=("rhythm",)), k=5,
            interval=Interval(5.0, 11.5),
        )  # fmt: skip
    facets = StretchFacets(library.store, library.settings)
    track = library.store.library.get(library.store.library.find_words("farewell")[0])
    (one,) = track.values()
    with within(budget), pytest.raises(AudioError, match="Nobody waits"):
        facets.of_track(one, Interval(6.0, 12.25))
    away = msgspec.structs.replace(one, paths=("/nowhere/farewell.opus",))
    assert set(facets.of_track(away, Interval(6.0, 12.25))) >= {"rhythm", "timbre"}


def test_the_most_alike_sections_are_steered_as_well(library: Library) -> None:
    store, settings = library.store, library.settings
    for words in ({"only": ("energy",)}, {"per_artist": 1}, {"filters": Filters(year=Range(2000))}):
        query = Query(**words)
        found = search(store, settings, "nebula", query, k=5, scope=Level.SECTION)
        assert all(match.match_section for match in found.matches)
    with pytest.raises(UsageError, match="does not heed blend"):
        ask(library, blend={"plays": 0.3})


def test_tempo_and_key_of_the_asked_track(library: Library) -> None:
    store, settings = library.store, library.settings
    tracks = [match.track.id for match in ask(library, k=50)]
    sure = next(
        track_id
        for track_id, (heard, _) in store.facets.measures(tracks).items()
        if heard.sure_tempo_bpm and heard.sure_key
    )

    def answers(filters: Filters) -> tuple[Match, ...]:
        query = Query(filters=filters)
        return search(store, settings, str(sure), query, k=50, interval=STRETCH).matches

    everything = answers(Filters())
    for filters in (Filters(same_tempo=True), Filters(same_key=True)):
        same = answers(filters)
        assert 0 < len(same) < len(everything)
        assert any(reason.likeness for reason in same[0].reasons if reason.kind in FACTS)


def test_a_guess_at_a_key_is_no_key(library: Library) -> None:
    """Nebula is a drone: its key was guessed, so nothing is filtered or told by it."""
    measures, _ = library.store.facets.measures([ids_of(library, "nebula")])[
        ids_of(library, "nebula")
    ]
    assert measures.key
    assert not measures.key.is_sure
    with pytest.raises(UsageError, match="no key that is sure: give one"):
        ask(library, filters=Filters(same_key=True))
    for match in ask(library, k=50):
        assert "key" not in {reason.kind for reason in match.reasons}
