"""How playlists are wished for, and how items are recognised, without any server."""

from __future__ import annotations

from pathlib import Path

import pytest

from mess_integrations.jellyfin.file_index import FileIndex, path_map
from mess_integrations.jellyfin.manual_edits import manual_edits
from mess_integrations.jellyfin.naming import is_rule, parse
from mess_integrations.jellyfin.rules import Rule, RuleSeed
from mess_integrations.jellyfin.specs import parse_spec, to_rule
from mess_plugin.cli.services import _is_on
from mess_plugin.config import Settings
from mess_plugin.errors import ConfigError, UsageError
from mess_plugin.model import Interval
from mess_plugin.playlists.radio import RadioStyle
from mess_plugin.search.query import Filters, Query, Range
from mess_plugin.store.hosts import HostItem, Kept, KnownFile, PlaylistEdit


def test_a_name_says_everything() -> None:
    name = (
        "MESS: like So What + mess:12 · 30 tracks · 2 per artist · Genre jazz · without live · "
        "year 1955-1965 · length 2:00-10:00 · calm · dark · language fra · rating 3-5 · "
        "unplayed 30 days · more rhythm · varied · weekly"
    )
    filters = Filters(
        duration_s=Range(120, 600), year=Range(1955, 1965), moods=("calm", "dark"),
        genre="jazz", excluded_words=("live",), languages=("fra",), rating=Range(3, 5),
        unplayed_days=30.0,
    )  # fmt: skip
    query = Query({"rhythm": 2.0}, filters=filters, diversity=0.5, per_artist=2)
    wanted = Rule(name, RuleSeed("tracks", ("So What", "mess:12")), 30, query, "weekly")
    assert parse(name) == wanted


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("like favourites", RuleSeed("favourites")),
        ("LIKE Favorites", RuleSeed("favourites")),
        ("like recently played", RuleSeed("recent")),
        ("like these", RuleSeed("these")),
        ("like playlist Late + Night", RuleSeed("playlist", ("Late + Night",))),
        ("like 1+1 equals", RuleSeed("tracks", ("1+1 equals",))),
        ("like x from 1:10 to 1:40", RuleSeed("tracks", ("x",), Interval(70, 100))),
        ("like 7 tracks of hope", RuleSeed("tracks", ("7 tracks of hope",))),
    ],
)
def test_seeds(text: str, seed: RuleSeed) -> None:
    assert parse(f"mess:{text}").seed == seed


def test_a_radio_says_how_it_chooses() -> None:
    assert parse("MESS: radio so what").radio == RadioStyle()
    rule = parse("MESS: Radio favourites · Adventurous · follow the vibe · calm · 30 tracks")
    assert rule.radio == RadioStyle(strictness=0.0, anchor="vibe")
    assert (rule.seed, rule.size) == (RuleSeed("favourites"), 30)
    declared = {"name": "R", "like": "so what", "radio": True, "strictness": 1}
    assert to_rule(parse_spec(declared)).radio == RadioStyle(strictness=1.0)
    assert parse("MESS: like so what").radio is None


@pytest.mark.parametrize("separator", [" · ", "| ", " •", "\u00a0·\u00a0", " |"])
def test_separators(separator: str) -> None:
    assert parse(f"MESS: like x{separator}daily").refresh == "daily"


@pytest.mark.parametrize("title", ["Vida intel·ligent", "La pel·lícula", "AC•DC", "a|b"])
def test_a_separator_inside_a_word_belongs_to_the_word(title: str) -> None:
    rule = parse(f"MESS: like {title} · 20 tracks")
    assert rule.seed == RuleSeed("tracks", (title,))
    assert rule.size == 20


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "wanted `MESS: like …`"),
        ("so what", "says 'so what'"),
        ("like x · groovy · loud", "'groovy', 'loud' is not understood"),
        ("like x · 0 tracks", "wanted 1 to 500"),
        ("like x · 501 tracks", "wanted 1 to 500"),
        ("like x · year 1999-1990", "swap"),
        ("like x · year soon", "wanted a range"),
        ("like x · year -", "at least one number"),
        ("like x from 2:00 to 1:00", "before it starts"),
        ("like x · key X", "wanted a key"),
        ("like x · genre", "'genre' is not understood"),
        ("like x · 0 per artist", "wanted at least 1"),
        ("like x · adventurous", "strictness can only be said of a radio"),
        ("radio x · more rhythm", "radio does not heed emphasis"),
        ("radio x from 1:00 to 2:00", "whole tracks"),
    ],
)
def test_what_is_not_understood_is_named(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"MESS: {text}")
    assert reason in str(caught.value)


def test_a_section_is_steered_as_a_song_is() -> None:
    rule = parse("MESS: like x from 1:00 to 2:00 · calm · only rhythm · 2 per artist")
    assert rule.seed.interval == Interval(60, 120)
    assert (rule.query.only, rule.query.filters.moods) == (("rhythm",), ("calm",))


def test_only_our_own_prefix_is_a_rule() -> None:
    assert is_rule(" mess: like x")
    assert not is_rule("Messy: like x")


def item(path: str | None, duration_s: float | None = 30.0, *recordings: str) -> HostItem:
    return HostItem("1", "x", path, duration_s, recordings)


def known(
    path: str, track: int | None = 1, recording: str | None = None, failure: str | None = None
) -> KnownFile:
    return KnownFile(path, track, 30.0 if track else None, recording, failure)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/media=/music", "/media/a/b.flac"),
        ("D:\\Music=/music", "D:\\Music\\a\\b.flac"),
        ("d:/Music=/music", "d:\\Music\\a/b.flac"),
        ("\\\\nas\\share=/music", "\\\\nas\\share\\a\\b.flac"),
    ],
)
def test_paths_are_mapped(rule: str, path: str) -> None:
    found = FileIndex([known("/music/a/b.flac")], path_map([rule])).match(item(path, 99.0))
    assert (found.track_id, found.matched_by) == (1, "path")


def test_a_wrong_rule_names_its_setting() -> None:
    with pytest.raises(ConfigError, match="paths of Jellyfin"):
        path_map(["media=/music"])


def test_unicode_forms_are_one_name() -> None:
    shelf = FileIndex([known("/music/Bjo\u0308rk.flac")], path_map([]))
    assert shelf.match(item("/music/Bj\u00f6rk.flac")).matched_by == "path"


def test_a_recording_is_the_file_at_the_path_else_the_nearest_in_length() -> None:
    files = [known("/m/a.flac", 1, "R"), known("/m/b.flac", 2, "r")]
    shelf = FileIndex(files, path_map([]))
    assert shelf.match(item("/m/b.flac", 30.0, "r")).track_id == 2
    assert shelf.match(item("/other/c.flac", 31.0, "r")).track_id == 1
    wrong = shelf.match(item("/other/c.flac", 300.0, "r"))
    assert (wrong.track_id, (wrong.unmatched or "")[:11]) == (None, "not-indexed")


def test_files_that_failed_or_wait_say_so() -> None:
    files = [known("/m/a.flac", None, None, "it is damaged"), known("/m/b.flac", None)]
    shelf = FileIndex(files, path_map([]))
    assert shelf.match(item("/m/a.flac")).unmatched == "failed: it is damaged"
    assert shelf.match(item("/x/a.flac")).unmatched == "failed: it is damaged"
    assert "not heard yet" in (shelf.match(item("/m/b.flac")).unmatched or "")


def test_the_longest_common_end_wins() -> None:
    files = [known("/m/one/disc/01.flac", 1), known("/m/two/disc/01.flac", 2)]
    shelf = FileIndex(files, path_map([]))
    assert shelf.match(item("/x/two/disc/01.flac")).track_id == 2
    assert (shelf.match(item("/x/disc/01.flac")).unmatched or "").startswith("ambiguous")


def kept(written: str, intended: str | None = None) -> Kept:
    return Kept("p", "n", tuple(written), None if intended is None else tuple(intended), None)


def edits(kept_: Kept, current: str, before: str = "", there: str = "abcdefgh") -> list[str]:
    """ "+x" is pinned, "-x" removed."""
    old = [PlaylistEdit(c, None, "pinned" if c.islower() else "removed") for c in before]
    old = [PlaylistEdit(edit.item.lower(), None, edit.edit) for edit in old]
    found = manual_edits(kept_, current, old, lambda items: [i for i in items if i in there], {})
    return [("+" if edit.edit == "pinned" else "-") + edit.item for edit in found]


@pytest.mark.parametrize(
    ("written", "current", "before", "there", "wanted"),
    [
        ("", "", "", "", []),
        ("", "ab", "", "ab", ["+a", "+b"]),
        ("abc", "abc", "", "abc", []),
        ("abc", "ab", "", "abc", ["-c"]),
        ("abc", "ab", "", "ab", []),  # the server lost it
        ("abc", "abcd", "", "abcd", ["+d"]),
        ("abc", "dabc", "E", "abcde", ["+d", "-e"]),
        ("abc", "abce", "E", "abcde", ["+e"]),  # comes back
        ("abc", "ab", "c", "abc", ["-c"]),  # a pin goes
        ("abc", "ab", "c", "ab", ["+c"]),  # a pin's file moved
        ("abc", "", "", "abc", ["-a", "-b", "-c"]),
    ],
)  # fmt: skip
def test_changes_by_hand(
    written: str, current: str, before: str, there: str, wanted: list[str]
) -> None:
    assert edits(kept(written), current, before, there) == wanted


def test_a_write_that_may_have_died_tells_nothing() -> None:
    assert edits(kept("abc", "def"), "de", "H") == ["-h"]
    assert edits(kept("abc", "def"), "") == []
    assert edits(kept("abc", "def"), "deg") == ["+g"]


@pytest.mark.parametrize("switch", [None, True, False])
@pytest.mark.parametrize("linked", [True, False])
def test_mess_up_follows_jellyfin_where_it_is_linked(
    tmp_path: Path, switch: bool | None, linked: bool
) -> None:
    if linked:
        (tmp_path / "jellyfin.json").touch()
    settings = Settings(home=tmp_path, jellyfin=switch)
    assert _is_on(settings, "jellyfin") is (linked if switch is None else switch)
    assert _is_on(settings, "worker")
