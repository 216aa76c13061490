"""Lyrics in a real library: read at indexing, found by words, noticed when they change."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import mutagen
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from mess_plugin.cli.main import cli as mess
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.library.reconcile import Request, reconcile
from mess_plugin.model import Track
from mess_plugin.search import Filters, Query, search
from mess_plugin.search.filters import passing
from mess_plugin.search.lyrics import find_lyrics
from mess_plugin.store import Store, open_store
from mess_plugin.store.lyrics import END_MARK, MARK
from mess_workers.watch.folder import WatchedFolder
from tests.audio_files import music as made_music
from tests.audio_files import write_audio
from tests.event_tools import settings_for
from tests.steering_library import index_files

SUNG = {
    "rain": "[00:12.50]Walking in the rain tonight\n[01:05.00]and I was loving you, only you",
    "protest": "We march against the war tonight\nwe march for bread and for freedom",
    "wolken": "Über den Wolken muss die Freiheit wohl grenzenlos sein\nAlle Ängste, alle Sorgen",
    "café": "Je bois un café dans la rue et je pense à toi\nnon, je ne regrette rien du tout",
}


def stem(track: Track) -> str:
    return Path(track.paths[0]).stem


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    return settings_for(tmp_path / "home", database_url, valkey_url)


@pytest.fixture
def ids(store: Store, settings: Settings, music: Path) -> dict[str, int]:
    files = []
    for seed, name in enumerate([*SUNG, "instrumental"]):
        files.append(
            write_audio(
                music / f"{name}.flac", made_music(2, 24_000, channels=1, seed=seed), 24_000
            )
        )
        if name in SUNG:
            (music / f"{name}.lrc").write_text(SUNG[name])
    index_files(store, settings, files)
    tracks = store.library.get(store.library.after(0, 10))
    return {stem(track): track.id for track in tracks.values()}


FOUND = {
    "rain AND love": {"rain"},
    "love": {"rain"},
    "loving -rain": set(),
    "tonight": {"protest", "rain"},
    "rain OR bread": {"protest", "rain"},
    '"for freedom"': {"protest"},
    '"freedom bread"': set(),
    "marching": {"protest"},
    "sorge": {"wolken"},
    "UBER": {"wolken"},
    "cafe": {"café"},
}


def test_words(store: Store, ids: dict[str, int]) -> None:
    for words, found in FOUND.items():
        answer = find_lyrics(store, words)
        assert {stem(answer.tracks[hit.track_id]) for hit in answer.hits} == found, words
        assert (answer.total, answer.n_with_lyrics) == (len(found), len(SUNG)), words
        assert all(hit.lines for hit in answer.hits), words
        assert all(MARK in line for hit in answer.hits for _, line in hit.lines), words
    for words in ("'", '"', "a & | ! b", "\\", "%s", "<->", "a:*", "\ud800a", "%(k)s"):
        if any(char.isalnum() for char in words):
            find_lyrics(store, words)
        else:
            with pytest.raises(UsageError, match="no word"):
                find_lyrics(store, words)
    with pytest.raises(UsageError, match="400 at most"):
        find_lyrics(store, "x" * 401)


def test_lines_and_times(store: Store, ids: dict[str, int]) -> None:
    (hit,) = find_lyrics(store, "love").hits
    marked = f"and I was {MARK}loving{END_MARK} you, only you"
    assert hit.lines == ((65.0, marked),)
    assert hit.language == "en"


def test_languages(store: Store, settings: Settings, ids: dict[str, int]) -> None:
    names = {track_id: name for name, track_id in ids.items()}
    for languages, passed in (
        (("en",), {"rain", "protest"}),
        (("english", "deu"), {"rain", "protest", "wolken"}),
        (("not-en",), {"wolken", "café", "instrumental"}),
        (("not-german", "not-fr"), {"rain", "protest", "instrumental"}),
    ):
        filters = Filters(languages=languages)
        assert {names[one] for one in passing(store, filters, None)} == passed
        found = {names[hit.track_id] for hit in find_lyrics(store, "tonight", filters).hits}
        assert found == passed & {"rain", "protest"}
    query = Query(filters=Filters(languages=("same",)))
    answer = search(store, settings, str(ids["rain"]), query)
    assert [match.track.id for match in answer.matches] == [ids["protest"]]
    with pytest.raises(UsageError, match="no lyrics in a language that is sure"):
        search(store, settings, str(ids["instrumental"]), query)
    with pytest.raises(UsageError, match="needs a track"):
        find_lyrics(store, "love", Filters(languages=("same",)))


def test_changes_are_noticed(
    store: Store, settings: Settings, ids: dict[str, int], music: Path
) -> None:
    """A file of lyrics that comes, changes or goes is read without hearing the music again."""
    request = Request.of(store, settings)

    def words_now(path: Path) -> str | None:
        found = reconcile(store, [str(path)], str(music), request)
        assert not found.job_ids
        lyrics = store.lyrics.of_tracks([track_id]).get(track_id)
        return lyrics.text if lyrics else None

    track_id = ids["instrumental"]
    beside = music / "instrumental.txt"
    assert words_now(beside) is None
    beside.write_text("now it has words")
    assert words_now(beside) == "now it has words"
    beside.write_text("other words")
    os.utime(beside, (5, 5))
    assert words_now(music) == "other words"
    beside.unlink()
    assert words_now(beside) is None
    assert find_lyrics(store, "words").total == 0


def test_a_watched_folder_hears_of_lyrics(
    store: Store, settings: Settings, ids: dict[str, int], music: Path
) -> None:
    watched = replace(settings, watch=(str(music),), settle_s=0.1)
    folder = WatchedFolder(store, watched, str(music))

    def until(is_so: Callable[[], bool]) -> None:
        for _ in range(200):
            folder.tick(time.monotonic())
            if is_so():
                return
            time.sleep(0.05)
        raise AssertionError(store.lyrics.of_tracks([ids["instrumental"]]))

    def text() -> str | None:
        found = store.lyrics.of_tracks([ids["instrumental"]]).get(ids["instrumental"])
        return found.text if found else None

    try:
        folder.tick(time.monotonic())  # the walk at the start
        (music / "instrumental.lrc").write_text("[00:01.00]sung since today")
        until(lambda: text() == "sung since today")
        (music / "instrumental.lrc").unlink()
        until(lambda: text() is None)
    finally:
        folder.close()


def test_a_changed_tag_is_noticed(
    store: Store, settings: Settings, ids: dict[str, int], music: Path
) -> None:
    path = music / "instrumental.flac"
    file = mutagen.File(path)
    file["LYRICS"] = "sung after all"
    file.save()
    index_files(store, settings, [path])
    assert [hit.track_id for hit in find_lyrics(store, "sung").hits] == [ids["instrumental"]]
    store.files.mark_missing([str(path)])
    assert find_lyrics(store, "sung").total == 0


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, ids: dict[str, int]) -> None:
    monkeypatch.setenv("MESS_HOME", str(settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("MESS_BROKER_URL", settings.broker_url or "")
    monkeypatch.setenv("MESS_ENCODER", "descriptors")


@pytest.mark.usefixtures("environment")
def test_the_command(ids: dict[str, int]) -> None:
    runner = CliRunner()
    shown = runner.invoke(mess, ["find", "--lyrics", "love"])
    assert "1:05  and I was *loving* you, only you" in shown.output
    document = json.loads(runner.invoke(mess, ["find", "--lyrics", "café", "--json"]).stdout)
    assert (document["total"], document["with_lyrics"]) == (1, 4)
    (track,) = document["tracks"]
    (line,) = track["lines"]
    assert [line["text"][start:end] for start, end in line["found"]] == ["café"]
    assert (track["id"], track["lyrics_language"], line["start_s"]) == (ids["café"], "fr", None)
    rows = list(
        csv.DictReader(
            runner.invoke(mess, ["find", "--lyrics", "love", "--csv"]).stdout.splitlines()
        )
    )
    assert [(row["start_s"], row["text"]) for row in rows] == [
        ("65.0", "and I was loving you, only you")
    ]
    about = runner.invoke(mess, ["about", str(ids["wolken"])]).output
    assert "German" in about
    assert "Über den Wolken" in about


def test_an_empty_library(database_url: str) -> None:
    with open_store(database_url) as store:
        found = find_lyrics(store, "love")
    assert (found.total, found.n_with_lyrics, found.hits) == (0, 0, ())
