"""Steered questions on a real library in a real database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mess_plugin.config import Settings
from mess_plugin.embedded import Endpoints
from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.facets import Facet
from mess_plugin.model import Match
from mess_plugin.steering.asking import steer
from mess_plugin.steering.query import ASPECTS, Filters, Query, Range
from mess_plugin.steering.refresh import refresh
from mess_plugin.store import Store, open_store
from steering_library import SAMPLES, index_files, settings_for

FACTS = {"section", "tempo", "key"}


@dataclass(frozen=True)
class Library:
    store: Store
    settings: Settings
    url: str


@pytest.fixture(scope="module")
def library(
    postgres_server: Endpoints, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """All samples, heard once for this module; tests leave it as it is."""
    name = "mess_test_steering"
    url = postgres_server.database_url.replace("/mess?", f"/{name}?", 1)
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
        settings = settings_for(url, tmp_path_factory.mktemp("home"))
        with open_store(url) as store:
            index_files(
                store,
                settings,
                sorted(
                    p
                    for p in SAMPLES.rglob("*")
                    if p.suffix in {".opus", ".mp3", ".ogg", ".flac", ".m4a"}
                ),
            )
            yield Library(store, settings, url)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def ask(library: Library, *refs: str, k: int = 5, **words: object) -> tuple[Match, ...]:
    query = Query(**words)  # type: ignore[arg-type]
    return steer(library.store, library.settings, refs or ("nebula",), query, k=k).matches


def ids(matches: tuple[Match, ...]) -> list[int]:
    return [match.track.id for match in matches]


def test_indexing_hears_all_facets(library: Library) -> None:
    assert library.store.facets.missing() == []
    track_id = library.store.library.find_words("nebula")[0][0]
    for facet in Facet:
        assert track_id in library.store.facets.of_tracks(facet, [track_id])
    measures, course = library.store.facets.measures([track_id])[track_id]
    assert measures.loudness.integrated_lufs is not None
    assert -40 < measures.loudness.integrated_lufs < 0
    assert course.shape == (64,)


def test_the_parts_add_up_to_the_score(library: Library) -> None:
    emphasis = dict.fromkeys(ASPECTS, 1.0)
    for words in (
        {"emphasis": emphasis},
        {"only": ("rhythm",)},
        {"emphasis": emphasis, "against": ("galaxy",)},
    ):
        try:
            matches = ask(library, **words)
        except UsageError:
            words["against"] = (str(library.store.library.find_words("kenta")[0][0]),)
            matches = ask(library, **words)
        assert matches
        for match in matches:
            parts = [reason.value for reason in match.reasons if reason.kind not in FACTS]
            assert sum(parts) == pytest.approx(match.score, abs=1e-5)
            assert 0 < match.score <= 1


def test_emphasis_changes_what_counts_and_its_reasons(library: Library) -> None:
    plain = ask(library, k=23)
    rhythm = ask(library, k=23, only=("rhythm",))
    assert {reason.kind for reason in rhythm[0].reasons} & set(ASPECTS) == {"rhythm"}
    assert ids(plain) != ids(rhythm)
    assert rhythm[0].score == max(match.score for match in rhythm)
    mixed = ask(library, k=23, emphasis={"rhythm": 1.0})
    shares = {match.track.id: {r.kind: r.value for r in match.reasons} for match in mixed}
    for match in rhythm:
        if match.track.id in shares:
            assert shares[match.track.id]["rhythm"] == pytest.approx(match.score / 2, abs=1e-5)


def test_a_negative_seed_pushes_its_likes_down(library: Library) -> None:
    before = ask(library, k=23)
    rejected = str(before[0].track.id)
    after = ask(library, k=23, against=(rejected,))
    assert int(rejected) not in ids(after)
    assert any("unlike" in {r.kind for r in match.reasons} for match in after)
    with pytest.raises(UsageError, match="for and against"):
        ask(library, rejected, against=(rejected,))


def test_several_seeds_are_asked_together(library: Library) -> None:
    one = ask(library, k=3)
    both = ask(library, "nebula", str(one[0].track.id), k=23)
    assert one[0].track.id not in ids(both)
    alone = {m.track.id: m.score for m in ask(library, "nebula", k=23)}
    other = {m.track.id: m.score for m in ask(library, str(one[0].track.id), k=23)}
    for match in both:
        if match.track.id in alone and match.track.id in other:
            mean = (alone[match.track.id] + other[match.track.id]) / 2
            assert match.score == pytest.approx(mean, abs=1e-5)


def test_filters_leave_out_what_does_not_pass(library: Library) -> None:
    everything = ask(library, k=23)
    artist = everything[0].track.tags.artist
    assert artist
    of_artist = ask(library, k=23, filters=Filters(artist=artist.upper()))
    assert of_artist
    assert {m.track.tags.artist for m in of_artist} == {artist}
    others = ask(library, k=23, filters=Filters(excluded_words=(artist,)))
    assert artist not in {m.track.tags.artist for m in others}
    folder = str(Path(everything[0].track.path or "").parent)
    inside = ask(library, k=23, filters=Filters(folder=folder))
    assert {str(Path(m.track.path or "").parent) for m in inside} == {folder}
    assert "100%" not in artist
    with pytest.raises(UsageError, match="no track passes the filters: artist '100%'"):
        ask(library, filters=Filters(artist="100%"))
    with pytest.raises(UsageError, match="duration_s 5000-"):
        ask(library, filters=Filters(duration_s=Range(5000, None)))


def test_tempo_and_key_filters_go_by_what_was_heard(library: Library) -> None:
    measured = library.store.facets.measures(ids(ask(library, k=23)))
    low, high = 100.0, 112.0
    found = ask(library, k=23, filters=Filters(tempo_bpm=Range(low, high)))
    assert found
    for match in found:
        tempo = measured[match.track.id][0].tempo
        assert tempo is not None
        assert any(low <= tempo.bpm * octave <= high for octave in (0.5, 1, 2))
    one_key = measured[found[0].track.id][0].key
    assert one_key is not None
    in_key = ask(library, k=23, filters=Filters(key=(one_key.tonic, one_key.mode)))
    for match in in_key:
        own = measured[match.track.id][0].key
        assert own is not None
        assert (own.tonic, own.mode) == (one_key.tonic, one_key.mode)


def test_at_most_one_of_each_artist(library: Library) -> None:
    artists = [match.track.tags.artist for match in ask(library, k=23, per_artist=1)]
    assert len(artists) == len(set(artists))
    assert len(artists) > 2


def test_a_file_from_outside_is_heard_with_its_facets(library: Library, tmp_path: Path) -> None:
    import shutil
    import subprocess

    inside = library.store.library.get([library.store.library.find_words("nebula")[0][0]])
    source = next(iter(inside.values())).path
    assert source
    copy = tmp_path / "outside.wav"
    assert shutil.which("ffmpeg")
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-t", "20", copy], check=True)
    found = ask(library, str(copy), k=3, only=("timbre", "harmony"))
    assert found[0].track.path == source
    assert found[0].score > 0.8


def test_facets_that_are_missing_are_named_and_heard_again(library: Library) -> None:
    with psycopg.connect(library.url, autocommit=True) as connection:
        seed = library.store.library.find_words("nebula")[0][0]
        connection.execute("UPDATE measures SET revision = 'old' WHERE track_id = %s", [seed])
        connection.execute("UPDATE facets SET revision = 'old' WHERE track_id = %s", [seed])
        with pytest.raises(UsageError, match="run `mess facets`"):
            ask(library, only=("rhythm",))
        assert [outcome for _path, outcome in refresh(library.store, None)] == [True]
        assert ask(library, only=("rhythm",))


def test_unknown_words_are_refused(library: Library) -> None:
    with pytest.raises(UnknownName, match="did you mean 'timbre'"):
        ask(library, only=("timber",))
    with pytest.raises(UsageError, match="k is 0"):
        ask(library, k=0)
