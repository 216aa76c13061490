"""What was heard as fields of beets, and `beet mess write`, with real beets and a real index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mediafile import MediaFile

from mess_plugin.embedded import down, lease
from tests.beets_host import SAMPLES, Beets


@pytest.fixture
def beets(tmp_path: Path) -> Iterator[Beets]:
    """Three tracks, imported and not indexed yet."""
    host = Beets(tmp_path / "beets", tmp_path / "mess").configure("mess")
    with lease(host.home, timeout_s=120):
        host.run("import", str(SAMPLES / "noiz2sa"))
        yield host
    down(host.home)


def test_heard_fields_are_shown_asked_for_and_written(beets: Beets) -> None:
    shown = "$title|$mess_bpm|$mess_key|$mess_moods|$mess_activity"
    before = [line.split("|") for line in beets.lines("ls", "-f", shown)]
    assert [row[1:] for row in before] == [["", "", "", ""]] * 3
    assert beets.lines("ls", "mess_bpm:1..") == []
    done = beets.run("mess", "write")
    assert "3 tracks not heard yet: run `beet mess index`" in done.stderr
    beets.run("mess", "index")

    rows = [line.split("|") for line in beets.lines("ls", "-f", shown)]
    tempos = {row[0]: float(row[1]) for row in rows}
    assert all(30 < bpm < 300 for bpm in tempos.values())
    heard_keys = {row[0]: row[2] for row in rows}
    keys = list(heard_keys.values())
    assert all(key == "" or key.endswith((" major", " minor")) for key in keys)
    assert any(keys)  # of one that is a guess nothing is shown
    assert all(0 <= float(row[4]) <= 1 for row in rows)
    middle = sorted(tempos.values())[1]
    faster = beets.lines("ls", "-f", "$title", f"mess_bpm:{middle}..")
    assert sorted(faster) == sorted(title for title, bpm in tempos.items() if bpm >= middle)
    mode = next(filter(None, keys)).split()[1]
    in_mode = beets.lines("ls", "-f", "$title", f"mess_key:{mode}")
    assert sorted(in_mode) == sorted(row[0] for row in rows if row[2].endswith(mode))

    checksum = beets.checksum()
    would = beets.lines("mess", "write", "-p")
    assert len(would) == 3
    assert beets.checksum() == checksum
    own = rows[0][0]
    beets.run("modify", "-y", f"title:={own}", "bpm=77")
    beets.run("mess", "write")
    stored = dict(line.split("|") for line in beets.lines("ls", "-f", "$title|$bpm"))
    assert stored[own] == "77"
    assert all(stored[title] == str(round(bpm)) for title, bpm in tempos.items() if title != own)
    for path in beets.paths():
        tags = MediaFile(path)
        assert str(tags.bpm) == stored[tags.title]
        assert bool(tags.initial_key) == bool(heard_keys[tags.title])
    assert beets.lines("mess", "write") == []  # nothing is left to write
    beets.run("mess", "write", "-F")
    assert beets.lines("ls", "-f", "$bpm", f"title:={own}") == [str(round(tempos[own]))]


def test_an_import_while_mess_is_down_says_what_to_type(tmp_path: Path) -> None:
    host = Beets(tmp_path / "beets", tmp_path / "mess").configure("mess")
    done = host.run("import", str(SAMPLES / "noiz2sa"))
    assert "new music is kept for MESS, which is not up: `beet mess index` hears it" in done.stderr
    assert host.lines("ls", "-f", "$mess_bpm") == ["", "", ""]
    assert not (host.home / "postgres").exists()  # asking for a field starts nothing
