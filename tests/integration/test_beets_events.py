"""What beets does to its files reaches the ledger, and MESS's troubles never reach beets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mediafile import MediaFile

from mess_plugin.library import spool
from tests.audio_files import tone, write_audio
from tests.beets_host import Beets


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two short files of one album."""
    folder = tmp_path / "new" / "Album"
    folder.mkdir(parents=True)
    for number, frequency_hz in ((1, 440.0), (2, 660.0)):
        path = write_audio(folder / f"0{number}.flac", tone(1.0, frequency_hz=frequency_hz))
        tags = MediaFile(path)
        tags.title, tags.artist, tags.album, tags.track = f"Song {number}", "A", "B", number
        tags.save()
    return folder


@pytest.fixture
def beets(tmp_path: Path, database_url: str) -> Beets:
    """An empty library whose MESS has a database and no broker."""
    return Beets(tmp_path / "beets", tmp_path / "mess", database_url).configure()


def ledger(beets: Beets) -> dict[str, tuple[Any, ...]]:
    """path → (state of its job, file id) of the files that are there."""
    assert beets.database_url is not None
    with psycopg.connect(beets.database_url) as connection:
        rows = connection.execute(
            "SELECT convert_from(path, 'utf8'), jobs.state::text, files.id"
            " FROM files LEFT JOIN jobs ON jobs.file_id = files.id WHERE missing_since IS NULL"
        ).fetchall()
    return {path: tuple(rest) for path, *rest in rows}


def settle(beets: Beets) -> None:
    """As if a worker had done all the work."""
    assert beets.database_url is not None
    with psycopg.connect(beets.database_url) as connection:
        connection.execute("UPDATE jobs SET state = 'done', outcome = 'encoded'")


def test_a_library_lives(beets: Beets, album: Path) -> None:
    beets.run("import", str(album))
    imported = beets.paths()
    assert len(imported) == 2
    assert {path: row[0] for path, row in ledger(beets).items()} == dict.fromkeys(
        imported, "wanted"
    )
    settle(beets)
    before = ledger(beets)

    beets.run("import", "-L", "-A", "id::.")  # a re-import: removed, and imported with the same ids
    assert beets.paths() == imported
    assert ledger(beets) == before, "nothing changed, so nothing is to be done"

    beets.run("modify", "-y", "-a", "albumartist=Somebody", "album=Renamed")
    moved = beets.paths()
    assert set(moved).isdisjoint(imported)
    after = ledger(beets)
    assert set(after) == set(moved)
    assert {row[1] for row in after.values()} == {row[1] for row in before.values()}
    assert {row[0] for row in after.values()} == {"wanted"}

    beets.run("rm", "-f", "title:1")
    assert len(ledger(beets)) == 2, "the file is still there, so MESS keeps it"

    beets.run("rm", "-f", "-d", "title:2")
    assert len(ledger(beets)) == 1
    assert spool.waiting(beets.home) == []


def test_a_singleton_import(beets: Beets, album: Path) -> None:
    beets.run("import", "-s", str(album / "01.flac"))
    assert list(ledger(beets)) == beets.paths()


def test_update_after_a_file_vanished(beets: Beets, album: Path) -> None:
    beets.run("import", str(album))
    first, second = beets.paths()
    Path(first).unlink()
    beets.run("update")
    assert list(ledger(beets)) == [second]


def test_auto_off_tells_nothing(tmp_path: Path, database_url: str, album: Path) -> None:
    beets = Beets(tmp_path / "beets", tmp_path / "mess", database_url)
    beets.configure(mess={"auto": False}).run("import", str(album))
    assert ledger(beets) == {}
    assert spool.waiting(beets.home) == []


def test_mess_that_is_not_up_is_not_started(tmp_path: Path, album: Path) -> None:
    beets = Beets(tmp_path / "beets", tmp_path / "mess").configure()
    done = beets.run("import", str(album))
    said = [line for line in done.stderr.splitlines() if line.startswith("mess:")]
    assert said == ["mess: new music is kept for MESS, which is not up: `beet mess index` hears it"]
    assert [path.name for path in beets.home.iterdir()] == ["spool"]
    assert spool.count(beets.home) == 2
    # The next command that opens MESS takes what waits.
    assert beets.lines("mess", "status")[:3] == [
        f"0 of 2 tracks indexed with MESS at {beets.home}",
        "2 waiting to be heard",
        "2 changes waited until now",
    ]
    assert spool.waiting(beets.home) == []


def test_unreachable_mess_costs_one_line(tmp_path: Path, album: Path) -> None:
    url = "postgresql://user:secret@127.0.0.1:1/mess"
    beets = Beets(tmp_path / "beets", tmp_path / "mess", url).configure()
    done = beets.run("import", str(album))
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("mess:")]
    assert "2 changes kept until MESS can be told: the database at 127.0.0.1:1" in line
    assert "secret" not in done.stdout + done.stderr
    assert spool.count(beets.home) == 2
    asked = beets.run("similar", "title:1", code=1)
    assert asked.stderr.startswith("error: the database at 127.0.0.1:1 does not answer")
    listed = beets.run("ls", "similar:title:1", code=1)
    assert listed.stderr.startswith("error: the database at 127.0.0.1:1 does not answer")
    assert "secret" not in beets.run("config").stdout


def test_a_host_that_swallows_everything_costs_the_time_limit(tmp_path: Path, album: Path) -> None:
    url = "postgresql://10.255.255.1/mess"  # no route, or no answer
    beets = Beets(tmp_path / "beets", tmp_path / "mess", url).configure(mess={"time_limit": 0.5})
    began_s = time.monotonic()
    done = beets.run("import", str(album))
    assert time.monotonic() - began_s < 30
    assert done.stderr.count("2 changes kept until MESS can be told") == 1
    assert spool.count(beets.home) == 2


@pytest.mark.parametrize("order", ["mess smartplaylist", "smartplaylist mess"])
def test_an_import_with_a_similar_playlist_survives_missing_mess(
    tmp_path: Path, album: Path, order: str
) -> None:
    playlists = [
        {"name": "like.m3u", "query": "similar:title:1"},
        {"name": "all.m3u", "query": ""},
    ]
    url = "postgresql://127.0.0.1:1/mess"
    beets = Beets(tmp_path / "beets", tmp_path / "mess", url).configure(
        order, smartplaylist={"playlist_dir": str(tmp_path / "lists"), "playlists": playlists}
    )
    done = beets.run("import", str(album))
    assert len(beets.paths()) == 2
    assert "Traceback" not in done.stderr
    assert spool.count(beets.home) == 2


def test_a_home_that_cannot_be_written_does_not_stop_an_import(tmp_path: Path, album: Path) -> None:
    beets = Beets(tmp_path / "beets", tmp_path / "mess").configure(mess={"home": "/dev/null/mess"})
    done = beets.run("import", str(album))
    assert len(beets.paths()) == 2
    assert done.stderr.count("mess: MESS was not told what changed") == 1


def test_a_wrong_setting_does_not_stop_an_import(tmp_path: Path, album: Path) -> None:
    beets = Beets(tmp_path / "beets", tmp_path / "mess").configure()
    done = beets.run("import", str(album), MESS_HOP_S="never")
    assert len(beets.paths()) == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("mess:")]
    assert "not told what changed" in line
    assert "setting hop_s (MESS_HOP_S) is 'never'" in line


def test_an_interrupted_command_keeps_what_it_did(tmp_path: Path, album: Path) -> None:
    """A command that ends in an error sends no cli_exit."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "tripwire.py").write_text(
        "from beets.plugins import BeetsPlugin\n"
        "class Tripwire(BeetsPlugin):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.register_listener('import', self.stop)\n"
        "    def stop(self, lib, paths):\n"
        "        raise KeyboardInterrupt\n"
    )
    beets = Beets(tmp_path / "beets", tmp_path / "mess").configure(
        "mess tripwire", pluginpath=str(plugins)
    )
    beets.run("import", str(album))
    assert len(beets.paths()) == 2
    assert spool.count(beets.home) == 2
