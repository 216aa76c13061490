"""Questions with all the words of a query, playlists and tastes, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psycopg
import pytest
from click.testing import CliRunner

from mess_integrations.http.app import ENDPOINTS
from mess_integrations.http.openapi import describe
from mess_plugin.cli.ls import ls
from mess_plugin.cli.playlist import playlist
from mess_plugin.cli.similar import similar
from mess_plugin.config import Settings
from mess_plugin.embedded import Endpoints
from mess_plugin.model import Tags
from mess_plugin.options import FILTERS
from mess_plugin.store import Store, open_store
from mess_plugin.store.inbox import Feedback
from tests.http_client import Client, serving
from tests.stored_library import add_track, levels_of, made_up_facets, raw_space
from tests.stored_library import settings as made_up_settings

N = 30


@dataclass(frozen=True)
class HttpService:
    call: Client
    store: Store
    settings: Settings


@pytest.fixture(scope="module")
def service(
    postgres_server: Endpoints, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HttpService]:
    """A library of made-up tracks behind the service; tests leave it as it is."""
    import time

    def eventually(condition: Any, limit_s: float) -> None:
        for _ in range(round(limit_s * 100)):
            if condition():
                return
            time.sleep(0.01)
        raise AssertionError("never")

    name = "mess_test_http_questions"
    url = postgres_server.database_url.replace("/mess?", f"/{name}?", 1)
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} STRATEGY file_copy")
        home = tmp_path_factory.mktemp("home")
        settings = made_up_settings(home, database_url=url, http_rate_hz=10_000.0)
        with open_store(url) as store:
            space = raw_space(store)
            for n in range(N):
                tags = Tags(
                    title=f"song {n}",
                    artist=f"artist {n % 5}",
                    year=1980 + n,
                    language=("eng", "French; deu", None)[n % 3],
                    rating=(None, 2.0, 4.0, 5.0)[n % 4],
                )
                path = f"/music/{n % 2}/{n:02d}.mp3"
                track_id = add_track(store, space, path, levels_of(n), tags)
                store.facets.write(track_id, made_up_facets(n))
            for call in serving(settings, eventually):
                yield HttpService(call, store, settings)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def run(service: HttpService, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line on the same library: what it prints, or what it says is wrong."""
    monkeypatch.setenv("MESS_HOME", str(service.settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", service.settings.database_url or "")
    monkeypatch.setenv("MESS_ENCODER", "descriptors")

    def command(group: Any, *arguments: str) -> Any:
        result = CliRunner().invoke(group, [*arguments, "--json"])
        return str(result.exception) if result.exception else json.loads(result.stdout)

    return command


def test_the_service_answers_as_the_command_line_does(service: HttpService, run: Any) -> None:
    body = {
        "refs": ["song 3", "song 4"], "k": 5, "emphasis": {"rhythm": 2}, "against": ["song 9"],
        "diversity": 0.3, "per_artist": 2,
        "filters": {"tempo_bpm": "60-80", "year": {"low": 1981, "high": None}, "key": None},
    }  # fmt: skip
    status, answer = service.call("/v1/similar", body)
    printed = run(
        similar, "song 3", "song 4", "--k", "5", "--emphasis", "rhythm=2", "--not", "song 9",
        "--diversity", "0.3", "--per-artist", "2", "--tempo", "60-80", "--year", "1981-",
    )  # fmt: skip
    assert status == 200
    assert answer["page"] == {"offset": 0, "k": 5, "full": True}
    assert answer == printed
    assert len(answer["matches"]) == 5


def _titles(service: HttpService, filters: dict[str, Any]) -> set[int]:
    status, answer = service.call("/v1/similar", {"refs": ["song 0"], "k": N, "filters": filters})
    assert status == 200, answer
    return {int(match["track"]["title"].split()[1]) for match in answer["matches"]}


def test_language_rating_and_what_was_played_lately(service: HttpService) -> None:
    """Random vectors score 0 for half of the library, so compare with what answers at all."""
    everything = _titles(service, {"year": "1900-"})
    assert _titles(service, {"languages": ["DEU", "dutch"]}) == {
        n for n in everything if n % 3 == 1
    }
    assert _titles(service, {"languages": ["eng"]}) == {n for n in everything if n % 3 == 0}
    assert _titles(service, {"rating": "4-"}) == {n for n in everything if n % 4 in (2, 3)}
    liked, played, *_ = sorted(everything)
    ids = {n: service.store.library.find_words(f"song {n}")[0][0] for n in (liked, played)}
    rows = [
        (ids[liked], "rating", 7.0, 400),  # of 10, long ago
        (ids[liked], "rating", 3.0, 1),  # since then it is worth 1.5 stars
        (ids[liked], "play", 0.1, 1),  # skipped
        (ids[played], "play", 0.9, 10),
    ]
    with psycopg.connect(service.settings.database_url or "", autocommit=True) as connection:
        for n, (track_id, kind, value, days) in enumerate(rows):
            connection.execute(
                "INSERT INTO feedback (source, digest, item, track_id, kind, value, happened_at)"
                " VALUES ('t', %s, 'i', %s, %s, %s, now() - %s * interval '1 day')",
                [bytes([n]), track_id, kind, value, days],
            )
    assert liked in _titles(service, {"rating": {"low": 1, "high": 2}})
    assert _titles(service, {"unplayed_days": 30}) == everything - {played}
    assert _titles(service, {"unplayed_days": 9}) == everything


def test_what_was_added_lately(service: HttpService) -> None:
    everything = _titles(service, {"added_days": "1w"})
    old = min(everything)
    with psycopg.connect(service.settings.database_url or "", autocommit=True) as connection:
        moved = "UPDATE tracks SET created_at = created_at - %s * interval '1 day' WHERE id = %s"
        track_id = service.store.library.find_words(f"song {old}")[0][0]
        connection.execute(moved, [20, track_id])
        assert _titles(service, {"added_days": "2w"}) == everything - {old}
        assert _titles(service, {"added_days": 21}) == everything
        connection.execute(moved, [-20, track_id])


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"artist": "nobody", "year": "1990-"}, "artist 'nobody'; loosen it"),
        (
            {"artist": "artist 1", "excluded_words": ["artist 1"], "year": "1900-"},
            "artist 'artist 1' and excluded words 'artist 1' exclude each other; loosen one",
        ),
        (
            {"year": "1980-1981", "rating": "2", "languages": ["eng", "deu"], "tempo_bpm": "70-80"},
            "tempo_bpm 70-80 and year 1980-1981 exclude each other",
        ),
        ({"artist": "artist 0", "rating": "5", "year": {"high": 1994}}, "; loosen one of them"),
    ],
)
def test_filters_that_leave_nothing_are_named(
    service: HttpService, filters: dict[str, Any], says: str
) -> None:
    status, answer = service.call("/v1/similar", {"refs": ["song 3"], "filters": filters})
    assert status == 400
    assert says in answer["error"]


def test_plain_questions_and_sections_are_asked_too(service: HttpService, run: Any) -> None:
    _, plain = service.call("/v1/similar", {"refs": ["song 3"], "k": 4})
    assert plain["query"] == run(similar, "song 3", "--k", "4")["query"]
    _, old = service.call("/v1/similar?ref=song%203&k=4")
    assert plain["matches"] == old["matches"]
    _, part = service.call("/v1/similar", {"refs": ["song 3"], "k": 4, "section": "B"})
    assert part["query"]["start_s"] == 10.0
    assert part["matches"][0]["confidence"] is not None


@pytest.mark.parametrize("words", [{}, {"only": ["timbre", "energy"]}])
def test_pages_follow_each_other(service: HttpService, words: dict[str, Any]) -> None:
    whole = service.call("/v1/similar", {"refs": ["song 3"], "k": 20, **words})[1]["matches"]
    found: list[Any] = []
    for offset in range(0, 40, 8):
        question = {"refs": ["song 3"], "k": 8, "offset": offset, **words}
        _, page = service.call("/v1/similar", question)
        assert page["page"]["full"] == (len(page["matches"]) == 8)
        found += page["matches"]
    assert [one["track"]["id"] for one in found][: len(whole)] == [m["track"]["id"] for m in whole]
    assert [one["rank"] for one in found] == list(range(1, len(found) + 1))
    assert len({one["track"]["id"] for one in found}) == len(found)
    _, page = service.call("/v1/similar?ref=song%203&k=8&offset=8")
    assert len(page["matches"]) == 8


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ({"refs": ["song 3"], "k": 0}, ["song 3", "--k", "0"]),
        ({"refs": ["song 3"], "only": ["timber"]}, ["song 3", "--only", "timber"]),
        ({"refs": ["song 3"], "emphasis": {"rhythm": -1}}, ["song 3", "--emphasis", "rhythm=-1"]),
        (
            {"refs": ["song 3"], "filters": {"year": "2000-1990"}},
            ["song 3", "--year", "2000-1990"],
        ),
        ({"refs": ["song 3"], "filters": {"tempo_bpm": "fast"}}, ["song 3", "--tempo", "fast"]),
        ({"refs": ["song 3"], "filters": {"key": "loud"}}, ["song 3", "--key", "loud"]),
        ({"refs": ["sonk 3"]}, ["sonk 3"]),
        ({"refs": ["song 3"], "listener": " "}, ["song 3", "--listener", " "]),
        (
            {"refs": ["song 3", "song 4"], "section": "A"},
            ["song 3", "song 4", "--section", "A"],
        ),
        ({"refs": ["song 3"], "offset": 999, "k": 10}, ["song 3", "--offset", "999"]),
    ],
)
def test_what_is_wrong_is_said_in_the_same_words(
    service: HttpService, run: Any, body: dict[str, Any], arguments: list[str]
) -> None:
    status, answer = service.call("/v1/similar", body)
    said = run(similar, *arguments)
    assert status == 400
    aliases = {"tempo 'fast'": "tempo_bpm 'fast'"}
    for printed, sent in aliases.items():
        said = said.replace(printed, sent)
    assert answer["error"] == said


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("/v1/similar", b"[]", "no JSON object"),
        ("/v1/similar", b"{}", "refs"),
        ("/v1/similar", b'{"refs": []}', "0 seeds"),
        ("/v1/similar", b'{"refs": ["x"], "ks": 3}', "unknown word 'ks': did you mean 'k'"),
        ("/v1/similar", b'{"refs": ["x"], "filters": {"tmpo": 3}}', "unknown word 'tmpo'"),
        ("/v1/similar", b'{"refs": ["x"], "filters": [1]}', "wanted an object"),
        ("/v1/similar", b'{"refs": ["x"], "filters": {"year": {"low": NaN}}}', "no number"),
        ("/v1/similar", b'{"refs": ["x"], "filters": {"folder": "music"}}', "absolute"),
        ("/v1/similar", b'{"refs": ["/etc/passwd"]}', "in the library or in its folders"),
        ("/v1/similar", b'{"refs": ["/\\ud800"]}', "no file name"),
        ("/v1/similar", b'{"refs": ["x"], "filters": {"genre": "\\ud800"}}', "no text has"),
        ("/v1/similar", b'{"refs": ["song 3"], "against": ["/etc/passwd"]}', "or in its folders"),
        ("/v1/similar", b'{"refs": ["x\\u0000"]}', "NUL"),
        ("/v1/playlists/journey", b'{"start": "song 1", "end": "song 1"}', "two different"),
        (
            "/v1/playlists/journey",
            b'{"start": "song 1", "end": "song 2", "only": ["rhythm"]}',
            "a journey does not heed only: leave it out",
        ),
        ("/v1/playlists/arc", b'{"curve": "loud"}', "points"),
        ("/v1/playlists/arc", b'{"curve": [2]}', "from 0 to 1"),
        ("/v1/playlists/alike", b'{"refs": ["song 1"], "n": 0}', "0 tracks are asked for"),
        ("/v1/playlists/alike", b'{"refs": ["song 1"], "seed": -1}', "seed is -1"),
        ("/v1/playlists/alike?format=pls", b'{"refs": ["song 1"]}', "format"),
        ("/v1/playlists/radio", b'{"refs": []}', "give a reference"),
        ("/v1/playlists/radio", b'{"refs": ["song 1"], "played": [999]}', "no track 999"),
        ("/v1/verdicts", b'{"verdict": "love", "ref": "song 1", "for": "song 2"}', "verdict"),
        ("/v1/verdicts", b'{"verdict": "like", "ref": "song 1", "for": "song 1"}', "same track"),
        ("/v1/verdicts", b'{"verdict": "like", "ref": "song 1"}', "for"),
    ],
)
def test_wrong_bodies_get_400_with_the_reason(
    service: HttpService, path: str, data: bytes, says: str
) -> None:
    status, answer = service.call(path, data=data)
    assert status == 400
    assert says in answer["error"]


def test_playlists_are_those_of_the_command_line(
    service: HttpService, run: Any, tmp_path: Path
) -> None:
    questions: list[tuple[str, dict[str, Any], list[str]]] = [
        ("alike", {"refs": ["song 3"], "k": 6, "seed": 5, "emphasis": {"energy": 1}},
         ["song 3", "--n", "6", "--seed", "5", "--emphasis", "energy=1"]),
        ("journey", {"start": "song 3", "end": "song 8", "k": 6},
         ["song 3", "song 8", "--n", "6"]),
        ("arc", {"curve": [0, 1], "k": 6, "filters": {"artist": "artist 1"}},
         ["0,1", "--n", "6", "--artist", "artist 1"]),
        ("radio", {"refs": ["song 3"], "k": 6, "seed": 2}, ["song 3", "--n", "6", "--seed", "2"]),
    ]  # fmt: skip
    for kind, body, arguments in questions:
        status, made = service.call(f"/v1/playlists/{kind}", body)
        assert status == 200
        assert made == run(playlist, kind, *arguments)
        assert len(made["tracks"]) == 6
        paths = [track["path"] for track in made["tracks"]]
        _, text = service.call(f"/v1/playlists/{kind}?format=m3u8", body)
        assert [line for line in text.splitlines() if not line.startswith("#")] == paths
        _, text = service.call(f"/v1/playlists/{kind}?format=xspf", body)
        found = ElementTree.fromstring(text).findall(".//{http://xspf.org/ns/0/}location")
        assert [one.text for one in found] == [f"file://{path}" for path in paths]
    assert run(playlist, "radio", "song 3", "--seed", "-1").startswith("seed is -1")


def test_tracks_are_listed_by_words_and_filters_as_on_the_command_line(
    service: HttpService, run: Any
) -> None:
    asked: list[tuple[str, list[str], list[int]]] = [
        ("words=song+2&year=2000-2005", ["song", "2", "--year", "2000-2005"], [20, 25, 21, 22, 23, 24]),
        ("words=ARTIST+3&k=2&offset=1", ["artist", "3", "-k", "2", "--offset", "1"], [18, 23]),
        ("language=French&rating=5-", ["--language", "French", "--rating", "5-"], [7, 19]),
        ("folder=/music/1&artist=3&exclude=song+2", ["--folder", "/music/1", "--artist", "3",
         "--exclude", "song 2"], [13, 3]),
        ("words=no+such", ["no", "such"], []),
    ]  # fmt: skip
    for parameters, arguments, numbers in asked:
        status, page = service.call(f"/v1/tracks?{parameters}")
        assert status == 200
        assert page == run(ls, *arguments)
        assert [track["title"] for track in page["tracks"]] == [f"song {n}" for n in numbers]
    _, page = service.call("/v1/tracks?k=7&offset=28")
    assert (page["total"], page["offset"], len(page["tracks"])) == (N, 28, 2)
    assert page["tracks"][0]["heard"]["tempo"]["bpm"] > 0
    assert service.call("/v1/tracks?offset=1000")[1] == {"total": N, "offset": 1000, "tracks": []}


def test_artists_answer_as_on_the_command_line(service: HttpService, run: Any) -> None:
    printed = run(similar, "Artist 3", "--by", "artist", "-k", "2", "--emphasis", "rhythm=1")
    assert len(printed["matches"]) == 2
    assert (printed["total"], printed["query"]["names"]) == (4, ["artist 3"])
    asked = "ref=artist+3&k=2&emphasis=rhythm=1"
    assert service.call(f"/v1/similar/artists?{asked}") == (200, printed)
    body = {"refs": ["artist 3"], "k": 2, "emphasis": {"rhythm": 1}}
    assert service.call("/v1/similar/artists", body) == (200, printed)
    path = {"refs": ["/music/1/03.mp3"], "k": 2, "emphasis": {"rhythm": 1}}
    assert service.call("/v1/similar/artists", path)[1]["matches"] == printed["matches"]
    for wrong, code, says in (
        ("albums?ref=song+3", 400, "no album in its tags"),
        ("albums?ref=/etc/passwd", 400, "no such file in the library"),
        ("genres?ref=song+3", 404, "no GET"),
    ):
        status, answer = service.call(f"/v1/similar/{wrong}")
        assert status == code
        assert says in answer["error"]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ("k=0", "k"),
        ("k=1001", "k"),
        ("tempo=same", "needs a track to be the same as"),
        ("mood=calmm", "did you mean 'calm'"),
        ("genra=x", "unknown parameter 'genra'"),
        ("folder=music", "absolute"),
    ],
)
def test_wrong_lists_get_400_with_the_reason(
    service: HttpService, parameters: str, says: str
) -> None:
    status, answer = service.call(f"/v1/tracks?{parameters}")
    assert status == 400
    assert says in answer["error"]


def test_tracks_are_listed_by_every_filter(service: HttpService) -> None:
    document = service.call("/openapi.json", token=None)[1]
    offered = {one["name"] for one in document["paths"]["/v1/tracks"]["get"]["parameters"]}
    assert offered == {"words", "k", "offset"} | {option.key for option in FILTERS}
    assert {option.name for option in ls.params} >= {option.key for option in FILTERS}


def test_times_are_seconds_or_minutes_and_seconds(service: HttpService) -> None:
    asked: list[tuple[str, str, object, object]] = [
        ("0:02", "6.5", "0:02", 6.5), ("2", "0:06.5", 2, "6.5"),
    ]  # fmt: skip
    for start, end, json_start, json_end in asked:
        _, got = service.call(f"/v1/similar?ref=song+3&start={start}&end={end}")
        _, posted = service.call(
            "/v1/similar", {"refs": ["song 3"], "start": json_start, "end": json_end}
        )
        for answer in (got, posted):
            assert (answer["query"]["start_s"], answer["query"]["end_s"]) == (2.0, 6.5)


def test_radio_goes_on_after_what_was_played(service: HttpService) -> None:
    body = {"refs": ["song 3"], "seed": 4}
    _, whole = service.call("/v1/playlists/radio", {**body, "n": 9})
    _, first = service.call("/v1/playlists/radio", {**body, "n": 4})
    played = [track["id"] for track in first["tracks"]]
    _, rest = service.call("/v1/playlists/radio", {**body, "n": 5, "played": played})
    assert first["tracks"] + rest["tracks"] == whole["tracks"]


def test_verdicts_are_noted_listed_and_forgotten(service: HttpService) -> None:
    call = service.call
    for n, verdict in ((4, "like"), (5, "dislike"), (5, "skip")):
        body = {"verdict": verdict, "ref": f"song {n}", "for": "song 3", "listener": "eve"}
        status, noted = call("/v1/verdicts", body)
        assert (status, noted["verdict"]) == (200, verdict)
    _, said = call("/v1/verdicts?listener=eve&k=1&offset=1")
    assert said["total"] == 2
    assert [one["verdict"] for one in said["verdicts"]] == ["skip"]
    assert said["verdicts"][0]["for"]["path"] == "/music/1/03.mp3"
    _, taste = call("/v1/taste?listener=eve")
    assert (taste["verdicts"], taste["on"]) == (2, False)
    _, steered = call("/v1/similar", {"refs": ["song 3"], "listener": "eve"})
    assert steered["query"]["taste"]["listener"] == "eve"
    assert call("/v1/taste?listener=eve", method="DELETE") == (200, {"forgotten": 2})
    assert call("/v1/verdicts?listener=eve")[1] == {"total": 0, "verdicts": []}


def test_what_is_never_suggested_is_listed_added_and_taken_back(service: HttpService) -> None:
    question = {"refs": ["song 3"]}
    _, before = service.call("/v1/similar", question)
    artist = before["matches"][0]["track"]["artist"]
    status, added = service.call("/v1/never", {"artist": artist})
    assert (status, added["tracks"] >= 1) == (200, True)
    try:
        _, found = service.call("/v1/never")
        assert [(one["id"], one["says"]) for one in found["rules"]] == [
            (added["id"], f"artist {artist!r}")
        ]
        _, after = service.call("/v1/similar", question)
        assert artist not in {match["track"]["artist"] for match in after["matches"]}
        assert after["never_suggested"] == added["tracks"]
    finally:
        taken_back = service.call(f"/v1/never/{added['id']}", method="DELETE")
    assert taken_back[0] == 204
    assert service.call(f"/v1/never/{added['id']}", method="DELETE")[0] == 404
    assert service.call("/v1/similar", question)[1] == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "say what is never to be suggested"),
        ({"except_months": [13], "genre": "x"}, "months"),
        ({"genre": 5}, "genre"),
        ({"folder": "music"}, "folder"),
        ({"genres": "x"}, "genre"),
    ],
)
def test_a_wrong_rule_gets_400_with_the_reason(
    service: HttpService, body: dict[str, Any], reason: str
) -> None:
    status, answer = service.call("/v1/never", body)
    assert (status, reason in answer["error"]) == (400, True), answer


def test_an_account_is_joined_and_left(service: HttpService) -> None:
    call, store = service.call, service.store
    at = datetime(2026, 1, 1, tzinfo=UTC)
    store.inbox.save_feedback(Feedback("jellyfin", b"x", "a" * 32, "item", "play", 1.0, at))
    row = {"source": "jellyfin", "account": "a" * 32, "n_acts": 1}
    others = [one for one in call("/v1/accounts")[1]["accounts"] if one["source"] != "jellyfin"]
    assert call("/v1/accounts") == (200, {"accounts": [row | {"listener": None}, *others]})
    path = f"/v1/accounts/{'A' * 8}-{'a' * 24}"  # as Jellyfin's pages write it
    assert call(path, {"listener": "eve"}, method="PUT")[0] == 200
    assert call("/v1/accounts") == (200, {"accounts": [row | {"listener": "eve"}, *others]})
    assert call(path, {"listener": ""}, method="PUT")[0] == 400
    assert call(path, method="DELETE")[0] == 204
    assert call(path, method="DELETE")[0] == 400  # nobody's
    for words in ({"body": {"listener": "eve"}, "method": "PUT"}, {"method": "DELETE"}):
        status, answer = call("/v1/accounts/nobody", **words)
        assert (status, "unknown account" in answer["error"]) == (404, True)


def test_a_track_tells_what_was_heard(service: HttpService) -> None:
    track_id = service.store.library.find_words("song 7")[0][0]
    _, track = service.call(f"/v1/tracks/{track_id}")
    assert track["heard"]["tempo"] == {"bpm": 67.0, "confidence": 0.5, "sure": True}
    assert track["heard"]["key"]["name"] == "G minor"
    assert track["heard"]["loudness"] == {"integrated_lufs": -13.0, "range_lu": 5.0}


def test_clusters_and_the_map_are_those_of_the_command_line(
    service: HttpService, run: Any, tmp_path: Path
) -> None:
    from mess_plugin.cli.exploring import clusters, map_command

    status, found = service.call("/v1/clusters?k=4&seed=1&examples=2&outliers=3")
    assert status == 200
    assert found == run(clusters, "--k", "4", "--seed", "1", "--examples", "2", "--outliers", "3")
    assert sum(one["size"] for one in found["clusters"]) == found["tracks"] == N
    assert len(found["outliers"]) == 3
    out = tmp_path / "map.tsv"
    status, drawn = service.call("/v1/map?k=4&seed=1")
    assert status == 200
    assert drawn == run(map_command, "--k", "4", "--seed", "1", "--out", str(out))
    assert drawn["clusters"] == [one["name"] for one in found["clusters"]]
    header, *lines = out.read_text().splitlines()
    assert header.split("\t")[:4] == ["id", "x", "y", "cluster"]
    assert [int(line.split("\t")[0]) for line in lines] == [one["id"] for one in drawn["tracks"]]
    assert service.call("/v1/clusters?k=31")[1]["error"] == run(clusters, "--k", "31")
    assert "--out FILE.png" in str(CliRunner().invoke(map_command, []).exception)


def test_the_description_has_examples_that_are_understood(service: HttpService) -> None:
    document = describe(ENDPOINTS)
    schemas = document["components"]["schemas"]
    assert "anyOf" in schemas["Filters"]["properties"]["tempo_bpm"]
    examples = 0
    for path, item in document["paths"].items():
        content = item.get("post", {}).get("requestBody", {}).get("content", {})
        if "example" in (body := content.get("application/json", {})):
            examples += 1
            named = set(body["schema"]["properties"])
            assert set(body["example"]) <= named, path
            status, answer = service.call(path, body["example"])
            # What they name is not in this library; their words are understood.
            lacks = ("nothing", "no track", "no Jellyfin is linked")
            assert status in {200, 201} or answer["error"].startswith(lacks), answer
    assert examples == 10
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
