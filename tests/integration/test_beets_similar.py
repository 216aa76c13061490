"""`beet similar` and `similar:` with real beets, a real library and a real index."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mess_plugin.embedded import down, lease
from tests.beets_host import SAMPLES, Beets

ALBUMS = ("noiz2sa", "widelands", "endgame-singularity")  # three tracks each, one artist each


@pytest.fixture(scope="module")
def beets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beets]:
    """Nine tracks, imported and indexed; not to be changed."""
    folder = tmp_path_factory.mktemp("beets")
    host = Beets(folder / "beets", folder / "mess").configure("mess playlist smartplaylist")
    with lease(host.home, timeout_s=120):
        host.run("import", *(str(SAMPLES / name) for name in ALBUMS))
        host.run("mess", "index")
        yield host
    down(host.home)


def test_answers_are_in_order_and_never_the_seed(beets: Beets) -> None:
    before = beets.checksum()
    rows = [
        line.split("|")
        for line in beets.lines(
            "similar", "-k", "4", "-f", "$mess_rank|$mess_score|$artist|$title", "title:stage 0"
        )
    ]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    scores = [float(row[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert "Stage 0" not in [row[3] for row in rows]
    assert rows[0][2] == "Kenta Cho"
    assert beets.checksum() == before, "beets' database was written"


def test_without_a_format_beets_own_is_used(beets: Beets) -> None:
    line, why = beets.lines("similar", "--why", "-k", "1", "title:stage 0")
    assert re.fullmatch(r"0\.\d\d  Kenta Cho - Noiz2sa - Stage \d", line)
    assert re.search(r"as wholes 0\.\d\d × .*\d:\d\d–\d:\d\d ↔ \d:\d\d–\d:\d\d: \d\.\d\d", why)


def test_paths_are_those_of_beets(beets: Beets) -> None:
    assert set(beets.lines("similar", "-p", "-k", "3", "title:stage 0")) < set(beets.paths())


def test_several_items_are_one_question(beets: Beets) -> None:
    done = beets.lines("similar", "--why", "-k", "20", "-f", "$artist", "artist:Kenta Cho")
    artists, reasons = done[::2], done[1::2]
    assert artists
    assert "Kenta Cho" not in artists
    assert all(re.search(r"(as wholes|part by part|in their course) 0\.", why) for why in reasons)
    assert re.search(r"part by part 0\.\d\d × 0\.20; in their course 0\.\d\d × 0\.20", reasons[0])


def test_what_counts_and_who_may_answer_can_be_said(beets: Beets) -> None:
    rows = beets.lines(
        "similar", "--why", "-f", "$artist", "--only", "rhythm,timbre", "--per-artist", "1",
        "--not", "artist:maxstack", "title:stage 0",
    )  # fmt: skip
    artists, reasons = rows[::2], rows[1::2]
    assert len(artists) == len(set(artists)) >= 1
    assert "Maxstack" not in artists
    assert all("rhythm 0." in why and "timbre 0." in why for why in reasons)
    assert not any("as wholes" in why or "course" in why for why in reasons)
    albums = beets.lines(
        "similar", "-a", "-f", "$album", "--album-name", "ADVANCED", "album:noiz2sa",
    )  # fmt: skip
    assert albums == ["Endgame: Singularity (Advanced Research)"]


def test_a_section_is_answered_with_sections(beets: Beets) -> None:
    rows = beets.lines(
        "similar", "-f", "$mess_start $mess_end", "--start", "0:05", "--end", "15", "title:stage 0"
    )
    assert len(rows) >= 3
    for row in rows:
        start_s, end_s = map(float, row.split())
        assert end_s - start_s == pytest.approx(10, abs=0.11)


def test_albums_answer_albums(beets: Beets) -> None:
    rows = beets.lines("similar", "-a", "-f", "$album $mess_score", "album:noiz2sa")
    albums = {row.rsplit(" ", 1)[0] for row in rows}
    assert "Endgame: Singularity (Advanced Research)" in albums
    assert albums <= {"Endgame: Singularity (Advanced Research)", "Widelands"}


@pytest.mark.parametrize("relative_to", [None, "library", "playlist"])
def test_a_playlist_holds_the_answers(
    beets: Beets, tmp_path: Path, relative_to: str | None
) -> None:
    place = ["--relative-to", relative_to] if relative_to else []
    base = {None: Path("/"), "library": beets.music, "playlist": tmp_path}[relative_to]
    target = tmp_path / "like.m3u"
    answers = beets.lines("similar", "-p", "-k", "2", "title:stage 0", "--m3u", str(target), *place)
    head, *lines = target.read_text().splitlines()
    assert head == "#EXTM3U"
    assert all(re.fullmatch(r"#EXTINF:\d+,.+ - .+", line) for line in lines[::2])
    assert [str((base / line).resolve()) for line in lines[1::2]] == answers
    assert all(Path(line).is_absolute() == (relative_to is None) for line in lines[1::2])


def test_similar_in_a_query(beets: Beets) -> None:
    before = beets.checksum()
    item_id = beets.lines("ls", "-f", "$id", "title:stage 0")[0]
    by_id = beets.lines("ls", "-f", "$title $mess_score", f"similar:{item_id}", "mess_rank+")
    assert by_id == beets.lines("similar", "-f", "$title $mess_score", f"id:{item_id}")
    assert (
        beets.lines("ls", "-f", "$title $mess_score", "similar:title:stage 0", "mess_rank+")
        == by_id
    )
    rest = beets.lines("ls", "-f", "$title", f"^similar:{item_id}")
    assert rest == ["Stage 0"]
    # Also beside a query that SQLite cannot answer.
    assert len(beets.lines("ls", f"similar:{item_id}", "mess_rank:1..3")) == 3
    assert beets.lines("ls", "-a", "-f", "$album", "similar:album:noiz2sa", "mess_rank:1") == [
        "Endgame: Singularity (Advanced Research)"
    ]
    assert beets.checksum() == before


def twin(beets: Beets, folder: Path) -> Beets:
    """The same music and MESS with a database of its own, which may be changed."""
    copy = Beets(folder, beets.home).configure()
    shutil.copy(beets.folder / "library.db", copy.folder)
    config = json.loads((beets.folder / "config.yaml").read_text())
    config["library"] = str(copy.folder / "library.db")
    config["mess"]["auto"] = False
    (copy.folder / "config.yaml").write_text(json.dumps(config))
    return copy


def test_found_fields_are_never_stored(beets: Beets, tmp_path: Path) -> None:
    copy = twin(beets, tmp_path)
    copy.run("modify", "-y", "-W", "-M", "similar:title:stage 0", "mood=x")
    stored = (copy.folder / "library.db").read_bytes()
    assert b"mood" in stored
    assert b"mess_" not in stored
    assert copy.lines("ls", "-f", "<$mess_score|$mess_rank|$mess_why>", "title:stage 0") == ["<||>"]


def test_similar_in_a_smart_playlist(beets: Beets, tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    (tmp_path / "more.yaml").write_text(
        f"smartplaylist: {{playlist_dir: {folder}, playlists: "
        "[{name: like.m3u, query: 'similar:\"title:stage 0\" mess_rank+'}]}\n"
    )
    beets.run("-c", str(tmp_path / "more.yaml"), "splupdate")
    written = (folder / "like.m3u").read_text().splitlines()
    assert written == beets.lines("similar", "-p", "title:stage 0")


def test_unknown_tracks_are_left_out_with_a_note(beets: Beets, tmp_path: Path) -> None:
    fewer = twin(beets, tmp_path)
    fewer.run("rm", "-f", "artist:maxstack")
    quiet = fewer.run("similar", "-k", "20", "title:stage 0")
    assert len(quiet.stdout.splitlines()) == 5
    assert "not in this beets library" not in quiet.stderr
    loud = fewer.run("-v", "similar", "-k", "20", "title:stage 0")
    assert loud.stderr.count("not in this beets library: Maxstack – ") == 3


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["title:nobody"], "the query names no track: nothing to compare with"),
        (["--from", "3", "artist:maxstack"], "a section is of one track, but the query names 3"),
        (
            ["--not", "title:nobody", "title:stage 0"],
            "--not title:nobody: the query names no track",
        ),
        (["--only", "loudness", "title:stage 0"], "facet 'loudness'"),
        (["--tempo", "fast", "title:stage 0"], "tempo 'fast': wanted a range such as 90-110"),
        (["--from", "400", "title:stage 0"], "the section starts at 400 s, but Kenta Cho"),
    ],
)
def test_bad_questions_get_one_line(beets: Beets, args: list[str], words: str) -> None:
    done = beets.run("similar", *args, code=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_a_track_that_mess_does_not_know_is_heard_on_the_spot(beets: Beets, tmp_path: Path) -> None:
    other = Beets(tmp_path, beets.home).configure(mess={"auto": False})
    other.run("import", str(SAMPLES / "flare"))
    known = other.run("-v", "similar", "title:town theme")
    assert known.stderr.count("not in this beets library") == 9
    several = other.run("similar", "artist:morris", code=1)
    assert "none of these 3 tracks is indexed yet: run `beet mess index`" in several.stderr


def test_status_says_how_far_mess_is(beets: Beets) -> None:
    assert beets.lines("mess", "status")[0].startswith("9 of 9 tracks indexed")
