"""What is never suggested: by every kind of answer, for everybody or one listener, and said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mess_plugin.cli.never import never
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.model import Interval, Tags
from mess_plugin.playlists.generate import alike, journey
from mess_plugin.playlists.radio import first_of_radio
from mess_plugin.search import Filters, Query, search
from mess_plugin.search import never as module
from mess_plugin.search.engine import answering_space
from mess_plugin.search.never import add_rule, never_suggested
from mess_plugin.store import Store, open_store
from mess_plugin.store.duplicates import DuplicateLink, LinkEvidence
from tests.stored_library import add_track, levels_of, raw_space, settings

N = 18


class Shelf:
    """18 tracks; every third one is an audiobook by Reader."""

    def __init__(self, store: Store, home: Path, url: str) -> None:
        self.store = store
        self.settings: Settings = settings(home, database_url=url)
        space = raw_space(store)
        self.tracks = []
        for n in range(N):
            is_book = n % 3 == 1
            tags = Tags(
                title=f"Song {n}",
                artist="Reader" if is_book else f"Band {n}",
                genre="Audiobook" if is_book else "Jazz",
            )
            path = f"/music/{'books' if is_book else 'songs'}/{n}.flac"
            self.tracks.append(add_track(store, space, path, levels_of(n), tags))
        self.books = {one for n, one in enumerate(self.tracks) if n % 3 == 1}

    def found(self, query: Query | None = None, **words: Any) -> set[int]:
        result = search(self.store, self.settings, f"mess:{self.tracks[0]}", query, k=N, **words)
        return {match.track.id for match in result.matches}


@pytest.fixture
def shelf(database_url: str, tmp_path: Path) -> Iterator[Shelf]:
    with open_store(database_url) as store:
        yield Shelf(store, tmp_path, database_url)


@pytest.mark.parametrize(
    "rule", [{"genre": "audiobook"}, {"folder": "/music/books"}, {"artist": "reader"}]
)
def test_every_kind_of_answer_heeds_it(shelf: Shelf, rule: dict[str, str]) -> None:
    store, chosen = shelf.store, shelf.settings
    first, last = f"mess:{shelf.tracks[0]}", f"mess:{shelf.tracks[17]}"
    asked: dict[str, Callable[[], set[int]]] = {
        "plain": shelf.found,
        "filtered": lambda: shelf.found(Query(filters=Filters(excluded_words=("nothing",)))),
        "varied": lambda: shelf.found(Query(diversity=0.5)),
        "stretch": lambda: shelf.found(interval=Interval(0.0, 10.0)),
        "alike": lambda: ids(alike(store, chosen, [first], Query(), n=12)),
        "journey": lambda: ids(journey(store, chosen, first, last, Query(), n=8)),
        "radio": lambda: ids(first_of_radio(store, chosen, [first], Query(), n=N)),
    }
    # Nothing would be proved where no book answers anyhow; the longer lists hold all tracks.
    assert shelf.found() & shelf.books == shelf.books
    assert asked["radio"]() & shelf.books == shelf.books
    number, n_tracks = add_rule(store, rule)
    assert n_tracks == len(shelf.books)
    for name, ask in asked.items():
        answer = ask()
        assert answer, name
        assert not answer & shelf.books, name
    assert shelf.found() == set(shelf.tracks) - shelf.books - {shelf.tracks[0]}
    assert search(store, chosen, first, k=3).n_never == len(shelf.books)
    assert store.never.remove(number)
    assert shelf.found() & shelf.books == shelf.books
    assert search(store, chosen, first, k=3).n_never == 0


def test_what_is_named_is_still_heard(shelf: Shelf) -> None:
    add_rule(shelf.store, {"genre": "audiobook"})
    book = next(iter(shelf.books))
    assert search(shelf.store, shelf.settings, f"mess:{book}", k=3).matches


def test_a_copy_of_what_is_never_suggested_is_suggested(shelf: Shelf) -> None:
    """Who bars the best-of album does not bar the songs on it."""
    book, song = min(shelf.books), shelf.tracks[2]
    one, other = sorted((book, song))
    heard = LinkEvidence(
        likeness=1.0, coverage=1.0, speed=1.0, offset_s=0.0, harmony=1.0, semitones=0
    )
    shelf.store.duplicates.save_found(DuplicateLink(one, other, "same", "found", heard))
    assert len({book, song} & shelf.found()) == 1  # of two copies the better one answers
    add_rule(shelf.store, {"genre": "audiobook"})
    assert {book, song} & shelf.found() == {song}


def test_the_evaluation_judges_the_search_and_not_the_rules(shelf: Shelf) -> None:
    add_rule(shelf.store, {"genre": "audiobook"})
    space = answering_space(shelf.store, shelf.settings)
    assert not shelf.found(space=space) & shelf.books
    assert shelf.found(space=space, heeds_never=False) & shelf.books == shelf.books


def test_a_listeners_rule_is_theirs_alone(shelf: Shelf) -> None:
    add_rule(shelf.store, {"genre": "audiobook"}, listener="ann")
    assert shelf.found() & shelf.books
    assert shelf.found(Query(listener="bob")) & shelf.books
    assert not shelf.found(Query(listener="ann")) & shelf.books


def test_a_rule_rests_in_some_months(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    add_rule(shelf.store, {"genre": "audiobook"}, except_months=[12])
    for month, rests in ((11, False), (12, True)):
        monkeypatch.setattr(module, "datetime", _at(month))
        assert bool(shelf.found() & shelf.books) == rests


def _at(month: int) -> object:
    from datetime import datetime

    class Clock:
        @staticmethod
        def now() -> datetime:
            return datetime(2026, month, 5).astimezone()

    return Clock


def test_wrong_rules_are_refused(shelf: Shelf) -> None:
    for words, months, message in (
        ({}, [], "say what is never to be suggested"),
        ({"genre": None, "exclude": ()}, [], "say what is never to be suggested"),
        ({"genre": "x", "diversity": 0.5}, [], "--diversity is no filter"),
        ({"tempo": "same"}, [], "needs a track to be the same as"),
        ({"genre": "x"}, [13], "month 13: wanted 1 to 12"),
    ):
        with pytest.raises(UsageError, match=message):
            add_rule(shelf.store, words, except_months=months)
    assert shelf.store.never.all() == []


def test_the_command(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESS_HOME", str(shelf.settings.home))
    monkeypatch.setenv("MESS_DATABASE_URL", shelf.settings.database_url or "")

    def run(*words: str) -> str:
        result = CliRunner().invoke(never, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "rule 1: 6 tracks are never suggested by it" in run("add", "--genre", "audiobook")
    assert "rule 1: 6 tracks" in run("add", "--genre", "audiobook")  # the same one
    run("add", "--artist", "band 2", "--listener", "ann", "--except-month", "12")
    (first, second) = json.loads(run("list", "--json"))
    assert first == {
        "id": 1, "listener": None, "words": {"genre": "audiobook"}, "except_months": [],
    }  # fmt: skip
    assert (second["listener"], second["except_months"]) == ("ann", [12])
    assert "genre 'audiobook'" in run("list")
    assert len(never_suggested(shelf.store, None)) == 6
    run("remove", str(first["id"]))
    assert never_suggested(shelf.store, None) == []
    with pytest.raises(UsageError, match="there is no rule 99"):
        CliRunner().invoke(never, ["remove", "99"], catch_exceptions=False)


def ids(made: Any) -> set[int]:
    return {track.id for track in made.tracks}
