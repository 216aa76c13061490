"""Writing tags into real files of every kind: the audio and all other tags stay."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen import apev2 as untyped_apev2
from mutagen import flac as untyped_flac
from mutagen import id3 as untyped_id3
from mutagen import mp4 as untyped_mp4

from mess_plugin.audio import identify
from mess_plugin.errors import AudioError, UnknownName, UsageError
from mess_plugin.facets import KeyEstimate, Loudness, Measures, TempoEstimate
from mess_plugin.library.tags import read_tags
from mess_plugin.tagging.atomic_write import replace_tags
from mess_plugin.tagging.tag_file import TagFile
from mess_plugin.tagging.undo import Entry, Journal, read_journal
from mess_plugin.tagging.values import parse_fields, value_of
from tests.audio_files import tone, write_audio

apev2: Any = untyped_apev2
id3: Any = untyped_id3
mp4: Any = untyped_mp4
flac: Any = untyped_flac
KINDS = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".alac.m4a", ".wav", ".aiff")
HEARD = Measures(
    TempoEstimate(119.96, 0.5), KeyEstimate(6, "minor", 0.5), Loudness(-10.25, 5.0), 0.5
)
FIELDS = ("bpm", "key", "replaygain")


def nothing() -> None:
    """In place of a record."""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each kind, with a title, two artists and a picture where it can hold one."""
    folder = tmp_path_factory.mktemp("originals")
    for kind in KINDS:
        path = write_audio(folder / f"song{kind}", tone(0.5, 48000), 48000)
        file: Any = mutagen.File(path)
        if file.tags is None:
            file.add_tags()
        if isinstance(file.tags, id3.ID3):
            file.tags.add(id3.TIT2(encoding=1, text=["Überall"]))
            file.tags.add(id3.TPE1(encoding=1, text=["one", "two"]))
            file.tags.add(id3.APIC(encoding=0, mime="image/png", type=3, desc="", data=b"png" * 99))
            file.save(v2_version=4)
        elif path.suffix == ".m4a":
            file.tags["\xa9nam"] = ["Überall"]
            file.tags["covr"] = [mp4.MP4Cover(b"png" * 99, mp4.MP4Cover.FORMAT_PNG)]
            file.save()
        else:
            file.tags["title"] = ["Überall"]
            file.tags["artist"] = ["one", "two"]
            if path.suffix == ".flac":
                picture: Any = flac.Picture()
                picture.data = b"png" * 99
                file.add_picture(picture)
            file.save()
    return folder


def changes_for(path: Path) -> dict[str, tuple[str, ...]]:
    tag_file = TagFile(path)
    changes: dict[str, tuple[str, ...]] = {}
    for field in FIELDS:
        text, _ = value_of(field, HEARD, tag_file.family, 0.25)
        assert text is not None
        changes[tag_file.names(field)[0]] = (text,)
    return changes


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_written_and_taken_back(kind: str, originals: Path, tmp_path: Path) -> None:
    path = tmp_path / f"song{kind}"
    path.write_bytes((originals / path.name).read_bytes())
    path.chmod(0o640)
    os.utime(path, (1, 1))
    identity, before = identify(path), read_tags(path)
    changes = changes_for(path)
    others = TagFile(path).others(tuple(changes))
    replace_tags(path, changes, identity, nothing)
    after = read_tags(path)
    assert after.bpm == pytest.approx(120, abs=0.05)
    assert after.key == "F#m"
    assert (after.title, after.artist) == (before.title, before.artist)
    assert identify(path) == identity
    assert TagFile(path).others(tuple(changes)) == others
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_mtime > 1e9
    assert names_in(tmp_path) == [path.name]
    replace_tags(path, dict.fromkeys(changes), identity, nothing)
    assert read_tags(path) == before
    assert TagFile(path).others(()) == TagFile(originals / path.name).others(())


def test_each_family_gets_the_gain_in_its_own_form(originals: Path) -> None:
    gains = {
        kind: TagFile(originals / f"song{kind}").names("replaygain")[0] for kind in KINDS
    }  # fmt: skip
    assert gains[".opus"] == "R128_TRACK_GAIN"
    assert gains[".flac"] == gains[".ogg"] == "REPLAYGAIN_TRACK_GAIN"
    assert gains[".mp3"] == gains[".aiff"] == "TXXX:REPLAYGAIN_TRACK_GAIN"
    assert value_of("replaygain", HEARD, "vorbis", 0)[0] == "-7.75 dB"
    assert value_of("replaygain", HEARD, "opus", 0)[0] == "-3264"  # -12.75 dB in steps of 1/256
    quiet = Measures(None, None, Loudness(None, None), 0.0)
    assert value_of("replaygain", quiet, "opus", 0) == (None, "too quiet to measure")
    assert value_of("bpm", quiet, "id3", 0) == (None, "none is heard")
    assert value_of("key", HEARD, "id3", 0.9) == (None, "not sure enough (0.50)")
    assert value_of("bpm", HEARD, "vorbis", 0)[0] == "119.96"


def _without_id3(folder: Path) -> list[Path]:
    """Files of the kinds that carry ID3, without any, some of which say what they are elsewhere."""
    made = {
        "bare.mp3": ["-write_id3v1", "0", "-id3v2_version", "0"],
        "bare.wav": ["-fflags", "+bitexact", "-map_metadata", "-1"],
        "info.wav": [],
        "bare.aiff": ["-fflags", "+bitexact", "-map_metadata", "-1"],
        "name.aiff": [],
    }
    for name, options in made.items():
        given = ["-metadata", "title=Elsewhere", "-metadata", "date=1999"]
        subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=1",
             *([] if name.startswith("bare") else given), *options, str(folder / name)],
            check=True,
        )  # fmt: skip
    old = b"TAG" + b"Elsewhere".ljust(30, b"\0") + bytes(60) + b"1999" + bytes(30) + b"\xff"
    (folder / "old.mp3").write_bytes((folder / "bare.mp3").read_bytes() + old)
    plain = folder / "ape.mp3"
    shutil.copyfile(folder / "bare.mp3", plain)
    tags: Any = apev2.APEv2()
    tags["Title"] = "Elsewhere"
    tags.save(plain)
    return [*(folder / name for name in made), folder / "old.mp3", plain]


def test_files_that_have_no_id3_yet_get_one(tmp_path: Path) -> None:
    """Their first frame is no change to others, and what they say elsewhere is still heard."""
    paths = _without_id3(tmp_path)
    assert len(paths) == 7
    for path in paths:
        before, identity = read_tags(path), identify(path)
        assert before.title == (None if path.name.startswith("bare") else "Elsewhere"), path
        changes = changes_for(path)
        replace_tags(path, changes, identity, nothing)
        after = read_tags(path)
        assert (after.bpm, after.key) == (120.0, "F#m"), path
        assert (after.title, after.year) == (before.title, before.year), path
        replace_tags(path, dict.fromkeys(changes), identity, nothing)  # taken back
        assert read_tags(path) == before, path
        replace_tags(path, changes, identity, nothing)


def test_the_version_of_id3_and_its_own_frames_stay(originals: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.mp3"
    path.write_bytes((originals / "song.mp3").read_bytes())
    id3.ID3(path).delete(path)
    old = id3.ID3()
    old.add(id3.TYER(encoding=0, text=["1999"]))
    old.add(id3.TXXX(encoding=1, desc="initialkey", text=["Dm"]))
    old.save(path, v2_version=3)
    tag_file = TagFile(path)
    assert tag_file.names("key") == ("TXXX:initialkey",)
    replace_tags(path, {"TXXX:initialkey": ("Am",), "TBPM": ("90",)}, identify(path), nothing)
    again = id3.ID3(path, translate=False)
    assert again.version[:2] == (2, 3)
    assert again["TYER"].text == ["1999"]
    assert read_tags(path).key == "Am"


def test_what_cannot_be_written_stays_as_it_is(originals: Path, tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    content = (originals / "song.flac").read_bytes()
    path.write_bytes(content)
    identity = identify(path)

    def refused(reason: str) -> None:
        with pytest.raises(AudioError, match=reason):
            replace_tags(path, {"BPM": ("90",)}, identity, nothing)
        assert path.read_bytes() == content
        assert [name for name in names_in(tmp_path) if name.startswith(".")] == []

    os.link(path, tmp_path / "other.flac")
    refused("hard links")
    (tmp_path / "other.flac").unlink()
    path.chmod(0o444)
    refused("write-protected")
    path.chmod(0o644)
    with pytest.raises(AudioError, match="audio would change"):
        replace_tags(path, {"BPM": ("90",)}, "another", nothing)
    with pytest.raises(AudioError, match="it changed while"):
        replace_tags(path, {"BPM": ("90",)}, identity, lambda: os.utime(path, (5, 5)))
    assert path.read_bytes() == content
    for name, data in {"a.mka": None, "b.mp3": b"ID3\x04\x00" + b"\xff" * 50}.items():
        odd = tmp_path / name
        write_audio(odd, tone(0.2, 48000), 48000) if data is None else odd.write_bytes(data)
        with pytest.raises(AudioError, match="tags"):
            TagFile(odd)


def test_a_link_is_followed_and_stays(originals: Path, tmp_path: Path) -> None:
    real = tmp_path / "real" / "song.ogg"
    real.parent.mkdir()
    real.write_bytes((originals / "song.ogg").read_bytes())
    (tmp_path / "link.ogg").symlink_to(real)
    replace_tags(tmp_path / "link.ogg", {"BPM": ("90",)}, identify(real), nothing)
    assert (tmp_path / "link.ogg").is_symlink()
    assert read_tags(real).bpm == 90


def test_killed_anywhere_the_old_or_the_new_file_is_there(originals: Path, tmp_path: Path) -> None:
    """SIGKILL at every step that Python's auditing sees: opening, locking, renaming …"""
    path = tmp_path / "song.flac"
    old = (originals / "song.flac").read_bytes()
    path.write_bytes(old)
    identity = identify(path)
    seen = set()
    for step in range(500):
        if (child := os.fork()) == 0:
            _die_at(step, path, identity)
        _, status = os.waitpid(child, 0)
        now = path.read_bytes()
        seen.add(now == old)
        if now != old:
            assert read_tags(path).bpm == 90
            assert identify(path) == identity
            path.write_bytes(old)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
    else:
        raise AssertionError("it never came to its end")
    assert step > 20
    assert seen == {True, False}
    assert names_in(tmp_path) == [path.name]  # the last run took over what the others left


def _die_at(step: int, path: Path, identity: str) -> None:
    left = step

    def count(_event: str, _arguments: object) -> None:
        nonlocal left
        left -= 1
        if left == -1:  # killing is seen too
            os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        sys.addaudithook(count)
        replace_tags(path, {"BPM": ("90",)}, identity, nothing)
        code = 0
    finally:
        os._exit(code)


def test_an_undo_file_is_whole_or_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "undo" / "a.jsonl")
    assert not journal.is_begun
    entries = [Entry(f"/m/{n}\udcff", "id", {"BPM": None}, {"BPM": ("9",)}) for n in range(3)]
    for entry in entries:
        journal.write(entry)
    journal.close()
    assert read_journal(journal.path) == entries[::-1]
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-5])
    assert read_journal(journal.path) == entries[1::-1]
    for wrong in (b"", b"{}\n", b"no\n", whole.replace(b'"id"', b"3")):
        journal.path.write_bytes(wrong)
        with pytest.raises(UsageError, match="no undo file"):
            read_journal(journal.path)
    with pytest.raises(UsageError, match="no undo file"):
        read_journal(tmp_path / "missing")


def test_words_of_what_to_write() -> None:
    assert parse_fields("bpm, KEY,bpm") == ("bpm", "key")
    with pytest.raises(UnknownName, match="did you mean 'replaygain'"):
        parse_fields("replay gain")
    with pytest.raises(UsageError, match="names no tag"):
        parse_fields(",")
