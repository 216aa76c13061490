"""`mess tag` on an indexed file: shown, written, noted, taken back, and never encoded again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mutagen
import pytest
from click.testing import CliRunner

from mess_plugin.cli.tag import tag
from mess_plugin.errors import UsageError
from mess_plugin.library.tags import read_tags
from mess_plugin.store import Store, open_store
from tests.audio_files import music, write_audio
from tests.steering_library import index_files, settings_for


def outcome(store: Store, path: Path) -> str:
    """How the last job on a file ended."""
    ended = {one.path: one.outcome for one in store.dispatch.last(10)}
    return str(ended[str(path)])


def test_a_tag_is_shown_written_and_taken_back(  # noqa: PLR0915  one life of one file
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, folder = tmp_path / "home", tmp_path / "music"
    monkeypatch.setenv("MESS_HOME", str(home))
    monkeypatch.setenv("MESS_DATABASE_URL", database_url)
    settings = settings_for(database_url, home)
    folder.mkdir()
    song = write_audio(folder / "song.flac", music(8.0, 22050, channels=1, seed=1), 22050)
    twin = folder / "twin.flac"  # the same recording at another place
    shutil.copy(song, twin)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(tag, [*arguments, "--json"], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    with open_store(database_url) as store:
        index_files(store, settings, [song, twin])
        assert outcome(store, song) == "encoded"
        old = song.read_bytes()
        question = (str(folder), "--write", "bpm,replaygain", "--confidence", "0")
        shown = run(*question)
        assert not shown["applied"]
        assert {row["state"] for row in shown["tags"]} == {"would be written"}
        assert len(shown["tags"]) == 4
        assert song.read_bytes() == old
        assert not (home / "undo").exists()

        written = run(*question, "--apply")
        assert {row["state"] for row in written["tags"]} == {"written"}
        tags = read_tags(song)
        track_id = store.library.find_path(str(song))
        assert track_id is not None
        assert tags.bpm is not None
        track = store.library.get([track_id[0] or 0])[track_id[0] or 0]
        assert track.tags.bpm == tags.bpm
        index_files(store, settings, [song])
        assert outcome(store, song) == "known"
        assert store.library.count()[:2] == (1, 2)

        again = run(*question, "--apply")
        assert {row["note"] for row in again["tags"]} == {"is so already"}
        assert again["undo"] is None

        undo = written["undo"]
        assert run("--undo", undo)["tags"][0]["state"] == "would be removed"
        twin_tagged = twin.read_bytes()
        twin.write_bytes(b"no music any more")
        back = run("--undo", undo, "--apply", code=1)
        states = {row["path"]: row["state"] for row in back["tags"]}
        assert states == {str(song): "removed", str(twin): "failed"}
        twin.write_bytes(twin_tagged)
        assert read_tags(song).bpm is None
        assert store.library.get([track.id])[track.id].tags.bpm is None

        retagged: Any = mutagen.File(song)
        retagged["language"], retagged["rating"] = "deu", "80"
        retagged.save()
        CliRunner().invoke(tag, [str(song), "--read"], catch_exceptions=False)
        known = store.library.get([track.id])[track.id].tags
        assert (known.language, known.rating) == ("deu", 4.0)

        song.write_bytes(write_audio(tmp_path / "o.flac", music(8.0, seed=9), 44100).read_bytes())
        other = run(str(song), "--write", "replaygain", "--apply", code=1)
        assert "changed since it was indexed" in other["tags"][0]["note"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--write bpm,key,replaygain"),
        (["x", "--write", "bpm", "--undo", "f"], "say one thing"),
        (["--read"], "say whose tags"),
        (["--write", "bpm"], "say whose tags"),
        (["x", "--undo", "f"], "leave the paths out"),
        (["x", "--write", "bpn"], "did you mean 'bpm'"),
        (["x", "--write", "bpm", "--confidence", "2"], "wanted 0 to 1"),
    ],
)
def test_what_cannot_be_asked(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(tag, arguments)
    assert isinstance(result.exception, UsageError)
    assert says in str(result.exception)
