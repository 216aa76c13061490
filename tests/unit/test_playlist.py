"""Playlists: exact bytes, never half a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mess_plugin.model import Interval, Tags, Track
from mess_plugin.playlists.formats import m3u, write_m3u, write_xspf, xspf

file_names = st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 10} & set(name))


def test_lines_and_what_is_left_out(tmp_path: Path) -> None:
    tracks = [
        Track(1, 61.6, Tags(title="So\nWhat", artist="Miles"), ("/m/so what.flac", "/m/copy.flac")),
        Track(2, 10.0, Tags(title="Gone")),
        Track(3, 10.0, Tags(), ("/m/two\nlines.mp3",)),
        Track(4, 0.4, Tags(), ("/m/plain.mp3",)),
    ]
    target = tmp_path / "list.m3u8"
    write_m3u(target, tracks)
    assert target.read_text(encoding="utf-8").splitlines() == [
        "#EXTM3U",
        "#EXTINF:62,Miles - So What",
        "/m/so what.flac",
        "#EXTINF:0,plain.mp3",
        "/m/plain.mp3",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["list.m3u8"]


@given(st.lists(file_names, max_size=5))
def test_odd_bytes_stay_as_they_are(names: list[bytes]) -> None:
    import tempfile

    paths = [os.fsdecode(b"/m/" + name) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "list.m3u"
        write_m3u(target, [Track(n, 1.0, Tags(), (path,)) for n, path in enumerate(paths)])
        lines = target.read_bytes().split(b"\n")
    assert [line for line in lines[2::2] if line] == [b"/m/" + name for name in names]


def test_a_failure_leaves_the_old_list_and_no_rest(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_m3u(tmp_path / "none" / "list.m3u", [])
    folder = tmp_path / "list.m3u"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_m3u(folder, [])
    assert [path.name for path in tmp_path.iterdir()] == ["list.m3u"]


def test_relative_paths_lead_from_the_list_to_the_file(tmp_path: Path) -> None:
    from urllib.parse import unquote
    from xml.etree import ElementTree

    paths = [tmp_path / "music" / "a b" / "ü.flac", tmp_path / "lists" / "#1.flac"]
    tracks = [Track(n, 1.0, Tags(), (str(path),)) for n, path in enumerate(paths)]
    folder = tmp_path / "lists"
    folder.mkdir()
    write_m3u(folder / "l.m3u8", tracks, relative=True)
    lines = (folder / "l.m3u8").read_text().splitlines()[2::2]
    assert lines == ["../music/a b/ü.flac", "./#1.flac"]
    write_xspf(folder / "l.xspf", tracks, relative=True)
    found = ElementTree.parse(folder / "l.xspf").getroot()
    seen = [one.text or "" for one in found.findall(".//{http://xspf.org/ns/0/}location")]
    assert [(folder / unquote(text)).resolve() for text in seen] == paths


def test_what_a_player_would_take_for_something_else(tmp_path: Path) -> None:
    """A comment, a URL or an option: relative paths that look like one start with a dot."""
    names = [
        "#1 Crush.flac",
        "#EXTINF:1,x.flac",
        "http:/x.flac",
        "-rf.flac",
        " blank.flac",
        "é.flac",
    ]
    tracks = [Track(n, 1.0, Tags(), (str(tmp_path / name),)) for n, name in enumerate(names)]
    written = m3u(tracks, tmp_path).decode().splitlines()[2::2]
    assert written == [*(f"./{name}" for name in names[:-1]), names[-1]]


def test_sections_are_played_from_and_to_their_times() -> None:
    from xml.etree import ElementTree

    tracks = [Track(1, 90.0, Tags(title="Whole"), ("/m/1.flac",)),
              Track(2, 90.0, Tags(title="Gone")),
              Track(3, 90.0, Tags(), ("/m/3.flac",))]  # fmt: skip
    sections = (None, Interval(1, 2), Interval(12.25, 20))
    assert m3u(tracks, None, sections).decode().splitlines() == [
        "#EXTM3U",
        "#EXTINF:90,Whole",
        "/m/1.flac",
        "#EXTINF:90,3.flac",
        "#EXTVLCOPT:start-time=12.250",
        "#EXTVLCOPT:stop-time=20.000",
        "/m/3.flac",
    ]
    root = ElementTree.fromstring(xspf(tracks, None, sections))
    space, vlc = "{http://xspf.org/ns/0/}", "{http://www.videolan.org/vlc/playlist/ns/0/}"
    first, second = root.findall(f".//{space}track")
    assert first.find(f"{space}extension") is None
    extension = second.find(f"{space}extension")
    assert extension is not None
    assert extension.get("application") == "http://www.videolan.org/vlc/playlist/0"
    options = [one.text for one in extension.findall(f"{vlc}option")]
    assert options == ["start-time=12.250", "stop-time=20.000"]
    assert [one.text for one in root.iter(f"{space}title")] == ["Whole", "3.flac"]
    assert b"vlc" not in xspf(tracks)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_tags_make_a_well_formed_list(title: str, artist: str) -> None:
    from xml.etree import ElementTree

    track = Track(1, 1.0, Tags(title=title, artist=artist), ("/m/a.flac",))
    assert len(m3u([track]).splitlines()) == 3
    ElementTree.fromstring(xspf([track]))
