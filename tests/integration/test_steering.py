"""Steered questions on a real library in a real database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mess_plugin.config import Settings
from mess_plugin.embedded import Endpoints
from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.facets import Facet
from mess_plugin.library.backfill import refresh
from mess_plugin.model import Match
from mess_plugin.options import ASPECTS
from mess_plugin.playlists.formats import write_json, write_m3u, write_xspf
from mess_plugin.playlists.generate import Playlist, alike, arc, journey, parse_curve
from mess_plugin.playlists.radio import first_of_radio, radio
from mess_plugin.search import engine, search
from mess_plugin.search.query import Filters, Query, Range
from mess_plugin.search.scoring import Leaning
from mess_plugin.search.self_similarity import form_of
from mess_plugin.search.taste import Taste, taste_of
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store, open_store
from tests.steering_library import SAMPLES, index_files, settings_for

FACTS = {"section", "alike", "tags", "tempo", "key"}
WIDE = Filters(duration_s=Range(1, None))


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
    return search(library.store, library.settings, refs or ("nebula",), query, k=k).matches


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
    other = str(library.store.library.find_words("kenta")[0][0])
    questions: list[dict[str, Any]] = [
        {"emphasis": emphasis},
        {"only": ("rhythm",)},
        {"emphasis": emphasis, "against": (other,)},
    ]
    for words in questions:
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
    # What is most like the rejected track loses more places than what is least like it.
    likest = [i for i in ids(ask(library, rejected, k=23)) if i in ids(after) and i in ids(before)]
    lost = [ids(after).index(i) - ids(before).index(i) for i in likest]
    half = len(lost) // 2
    assert half >= 3
    assert np.mean(lost[:half]) > np.mean(lost[-half:])
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
    # Where the encoder was chosen by `mess encoders use`, every door hears the file with that one.
    chosen = msgspec.structs.replace(library.settings, encoder=None)
    with psycopg.connect(library.url, autocommit=True) as connection:
        library.store.recipes.answer_with(str(Recipe.of(library.settings)))
        try:
            for settings in (library.settings, chosen):
                made = first_of_radio(library.store, settings, [str(copy)], Query(), n=3, seed=1)
                assert len(made.tracks) == 3
                form = form_of(library.store, settings, str(copy))
                assert form.sections
        finally:
            connection.execute("DELETE FROM chosen_recipes")


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


def two(library: Library) -> tuple[str, str]:
    answers = ask(library, k=23)
    return "nebula", str(answers[-1].track.id)


def test_alike_is_reproducible_and_another_seed_differs(library: Library) -> None:
    store, settings = library.store, library.settings
    one, same, other = (
        alike(store, settings, ["nebula"], Query(), n=6, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same
    assert one.tracks != other.tracks
    assert len({track.id for track in one.tracks}) == 6
    assert len(one.smoothness) == 5


def test_a_journey_goes_from_one_end_to_the_other(library: Library) -> None:
    start, end = two(library)
    found = journey(library.store, library.settings, start, end, Query(), n=7)
    tracks = [track.id for track in found.tracks]
    assert tracks[-1] == int(end)
    assert (found.tracks[0].tags.title or "").lower() == start
    assert len(set(tracks)) == 7
    likeness = {m.track.id: m.score for m in ask(library, start, k=23)}
    first_half = [likeness.get(i, 0.0) for i in tracks[1:3]]
    second_half = [likeness.get(i, 0.0) for i in tracks[4:6]]
    assert sum(first_half) > sum(second_half)
    assert found == journey(library.store, library.settings, start, end, Query(), n=7)
    with pytest.raises(UsageError, match="two different"):
        journey(library.store, library.settings, start, start, Query(), n=7)
    with pytest.raises(UsageError, match="ask for at most 24"):
        journey(library.store, library.settings, start, end, Query(), n=25)


def test_an_arc_follows_its_curve(library: Library) -> None:
    store, settings = library.store, library.settings
    rising = arc(store, settings, parse_curve("rise"), Query(), n=8)
    measured = store.facets.measures([track.id for track in rising.tracks])
    activity = [measured[track.id][0].activity for track in rising.tracks]
    assert sum(activity[4:]) > sum(activity[:4]) + 0.5
    peak = arc(store, settings, (0.0, 1.0, 0.0), Query(), n=7)
    measured = store.facets.measures([track.id for track in peak.tracks])
    activity = [measured[track.id][0].activity for track in peak.tracks]
    assert max(activity) == max(activity[2:5])
    with pytest.raises(UsageError, match="points"):
        parse_curve("loud")
    with pytest.raises(UsageError, match="from 0 to 1"):
        arc(store, settings, (0.0, 7.0), Query(), n=3)
    with pytest.raises(UsageError, match="give a reference"):
        arc(store, settings, (0.0, 1.0), Query(filters=Filters(same_key=True)), n=3)


def test_no_playlist_holds_a_track_whose_files_are_gone(library: Library) -> None:
    """Their vectors stay for a grace time, in case that the files come back."""
    store, settings = library.store, library.settings
    made: dict[str, Callable[[], Playlist]] = {
        "arc": lambda: arc(store, settings, parse_curve("rise"), Query(), n=8),
        "arc like": lambda: arc(store, settings, (0.0, 1.0), Query(), refs=["nebula"], n=8),
        "alike": lambda: alike(store, settings, ["nebula"], Query(only=("rhythm",)), n=8),
        "filtered": lambda: alike(store, settings, ["nebula"], Query(filters=WIDE), n=8),
        "journey": lambda: journey(store, settings, "nebula", "farewell", Query(), n=5),
        "radio": lambda: first_of_radio(store, settings, ["nebula"], Query(), n=8),
    }
    before = {name: {track.id for track in make().tracks} for name, make in made.items()}
    ends = {store.library.find_words(words)[0][0] for words in ("nebula", "farewell")}
    gone = sorted(set().union(*before.values()) - ends)[:6]
    assert gone
    paths = [path for track in store.library.get(gone).values() for path in track.paths]
    with psycopg.connect(library.url, autocommit=True) as connection:
        hide = "UPDATE files SET missing_since = %s WHERE path = ANY(%s)"
        asked = [path.encode() for path in paths]
        connection.execute(hide, [datetime.now(UTC), asked])
        try:
            for name, make in made.items():
                assert not {track.id for track in make().tracks} & set(gone), name
            answers = [ask(library, k=23), ask(library, k=23, only=("harmony",))]
            answers.append(ask(library, k=23, filters=WIDE))
            assert not {i for found in answers for i in ids(found)} & set(gone)
        finally:
            connection.execute(hide, [None, asked])


def test_radio_plays_everything_once_and_never_what_was_disliked(library: Library) -> None:
    store, settings = library.store, library.settings
    seed = store.library.find_words("nebula")[0][0]
    everything = [track.id for track in radio(store, settings, [str(seed)], Query(), seed=3)]
    assert len(everything) == len(set(everything)) == 23
    store.verdicts.save("radio", seed, everything[0], "dislike")
    heard = [t.id for t in radio(store, settings, [str(seed)], Query(listener="radio"), seed=3)]
    assert set(everything) - set(heard) == {everything[0]}


def test_playlists_on_disk(library: Library, tmp_path: Path) -> None:
    import json
    import os
    from urllib.parse import unquote_to_bytes
    from xml.etree import ElementTree

    tracks = [match.track for match in ask(library, k=3)]
    paths = [track.path for track in tracks]
    write_m3u(tmp_path / "a.m3u8", tracks)
    lines = (tmp_path / "a.m3u8").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == paths
    write_json(tmp_path / "a.json", tracks)
    assert [one["path"] for one in json.loads((tmp_path / "a.json").read_text())] == paths
    write_xspf(tmp_path / "a.xspf", tracks)
    root = ElementTree.parse(tmp_path / "a.xspf").getroot()
    found = root.findall(".//{http://xspf.org/ns/0/}location")
    texts = [(one.text or "").removeprefix("file://") for one in found]
    assert [os.fsdecode(unquote_to_bytes(text)) for text in texts] == paths


def test_a_taste_is_kept_shown_and_forgotten(library: Library) -> None:
    store = library.store
    tracks = ids(ask(library, k=23))
    seed = store.library.find_words("nebula")[0][0]
    answer = search(store, library.settings, ["nebula"], Query(listener="anna"), k=3)
    assert answer.taste is not None
    assert not answer.taste.is_on
    assert "are needed" in answer.taste.state
    assert answer.weights == {"feel": 1.0}
    store.verdicts.save("anna", seed, tracks[0], "like")
    store.verdicts.save("anna", seed, tracks[0], "dislike")
    store.verdicts.save("anna", seed, tracks[1], "skip")
    assert [one.word for one in store.verdicts.of("anna")] == ["dislike", "skip"]
    assert taste_of(store, answer.space, "anna").n_verdicts == 2
    assert store.verdicts.of("bert") == []
    assert store.verdicts.forget("anna") == 2
    assert store.verdicts.of("anna") == []


def test_a_taste_that_helps_changes_what_counts(library: Library) -> None:
    """A listener who goes by rhythm alone, over many seeds of the real library."""
    store, settings = library.store, library.settings
    everyone = sorted({*ids(ask(library, k=23)), store.library.find_words("nebula")[0][0]})
    for seed in everyone[:14]:
        found = ids(search(store, settings, [str(seed)], Query(only=("rhythm",)), k=23).matches)
        for track_id in found[:4]:
            store.verdicts.save("drummer", seed, track_id, "like")
        for track_id in set(everyone) - {seed, *found[: len(found) // 2]}:
            store.verdicts.save("drummer", seed, track_id, "dislike")
    answer = search(store, settings, ["nebula"], Query(listener="drummer"), k=5)
    assert answer.taste is not None
    assert answer.taste.is_on, answer.taste.state
    assert answer.weights["rhythm"] > answer.weights.get("timbre", 0.0)
    assert "rhythm" in {reason.kind for reason in answer.matches[0].reasons}


def test_a_leaning_draws_and_repels_and_says_so(
    library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from mess_plugin.cli import taste as commands

    store = library.store
    everyone = sorted(ids(ask(library, k=23)))
    timbres = store.facets.of_tracks(Facet.TIMBRE, everyone)
    loved, other = everyone[3], everyone[8]

    def answers(sign: int) -> tuple[Match, ...]:
        leaning = Leaning(sign * timbres[loved], 0.4, loved, other)
        learned = Taste("x", {}, 99, 9, {"feel": 0.5, "rhythm": 0.5}, 0.5, 0.9, 9.0, leaning)
        for module in (engine, commands):
            monkeypatch.setattr(module, "taste_of", lambda *_: learned)
        return ask(library, listener="x", k=23)

    repelled, drawn = answers(-1), answers(1)
    assert ids(drawn).index(loved) < ids(repelled).index(loved)
    told = {}
    for match in (*repelled, *drawn):
        values = {reason.kind: reason.value for reason in match.reasons if reason.kind not in FACTS}
        assert max(0.0, sum(values.values())) == pytest.approx(match.score, abs=1e-5)
        told[match.track.id] = next(one for one in match.reasons if one.kind == "leaning")
    assert told[loved].value == pytest.approx(0.4, abs=1e-3)
    assert told[loved].text == "timbre liked +0.40"
    only = ask(library, listener="x", only=("harmony",))
    assert {r.kind for m in only for r in m.reasons} <= {"harmony"} | FACTS

    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    monkeypatch.setenv("MESS_DATABASE_URL", library.url)
    shown = CliRunner().invoke(commands.show, ["--encoder", "descriptors"], catch_exceptions=False)
    assert "40% of a score is a leaning in timbre" in shown.stderr
    for name in (loved, other):
        assert store.library.get([name])[name].describe() in shown.stderr


def test_what_is_known_of_a_track_is_shown(
    library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import json

    from click.testing import CliRunner

    from mess_plugin.cli.about import about

    monkeypatch.setenv("MESS_HOME", str(tmp_path))
    monkeypatch.setenv("MESS_DATABASE_URL", library.url)
    shown = CliRunner().invoke(about, ["nebula", "--json"], catch_exceptions=False)
    seed = library.store.library.find_words("nebula")[0][0]
    measures = library.store.facets.measures([seed])[seed][0]
    document = json.loads(shown.output)
    assert document["loudness"]["integrated_lufs"] == measures.loudness.integrated_lufs
    assert measures.tempo is not None
    assert document["tempo"]["bpm"] == measures.tempo.bpm
    plain = CliRunner().invoke(about, ["nebula"], catch_exceptions=False)
    assert "LUFS" in plain.output
