"""The identity of audio: unmoved by names, tags and containers' arrangement, moved by the audio."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen.apev2 import APEv2
from mutagen.flac import Picture
from mutagen.id3 import APIC, ID3, TIT2, TXXX
from mutagen.mp4 import MP4Cover

from mess_plugin.audio import identify
from mess_plugin.errors import AudioError
from tests.audio_files import CODECS, music, write_audio

TAGGED = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".alac.m4a", ".wav", ".aiff", ".wma", ".wv")
COVER = b"\x89PNG\r\n\x1a\n" + b"cover" * 400_000  # larger than what FFmpeg reads when probing
ID3V1 = b"TAG" + b"title".ljust(125, b"\0")


def write(path: Path, seed: int = 0, **options: str) -> Path:
    ending = next(e for e in sorted(CODECS, key=len, reverse=True) if path.name.endswith(e))
    rate_hz = 48_000 if CODECS[ending][1] == "libopus" else 44_100
    return write_audio(path, music(3, rate_hz, seed=seed), rate_hz, options=options)


def retag(path: Path, title: str) -> None:
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        file.tags.setall("TIT2", [TIT2(text=title)])
        file.tags.setall("TXXX", [TXXX(desc="long", text=title * 1000)])
        file.tags.setall("APIC", [APIC(mime="image/png", data=COVER)])
    elif path.suffix == ".m4a":
        file["\xa9nam"] = [title]
        file["covr"] = [MP4Cover(COVER, MP4Cover.FORMAT_PNG)]
    else:
        file["title"] = [title * 1000]
    if path.suffix == ".flac":
        picture = Picture()
        picture.mime, picture.data = "image/png", COVER
        file.add_picture(picture)
    file.save()


@pytest.mark.parametrize("ending", TAGGED)
def test_tags_and_names_leave_it(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}")
    identity = identify(path)
    assert len(identity) == 32
    assert int(identity, 16) >= 0
    retag(path, "first")
    assert identify(path) == identity
    retag(path, "second title")
    moved = path.rename(tmp_path / f"elsewhere{ending}")
    assert identify(moved) == identity
    cleaned: Any = mutagen.File(moved)
    cleaned.delete()
    assert identify(moved) == identity


@pytest.mark.parametrize("ending", [".mp3", ".flac", ".aac", ".ac3", ".wv", ".tta", ".ogg", ".wav"])
def test_tags_behind_the_audio_leave_it(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}")
    audio = path.read_bytes()
    identity = identify(path)
    tags = APEv2()
    tags["title"] = "t" * 9000
    tags.save(str(path))
    assert identify(path) == identity
    lyrics = b"LYRICSBEGIN" + b"la la " * 50
    lyrics += str(len(lyrics)).zfill(6).encode() + b"LYRICS200"
    for tail in (ID3V1, lyrics + ID3V1, b"TAG+".ljust(227, b"\0") + ID3V1):
        path.write_bytes(audio + tail)
        assert identify(path) == identity


@pytest.mark.parametrize("ending", [".mp3", ".flac", ".aac"])
def test_several_tags_in_front_leave_it(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}")
    identity = identify(path)
    tag = b"ID3\x04\x00\x00\x00\x00\x7f\x7f" + b"\0" * (128 * 128 - 1)
    path.write_bytes(tag + tag + path.read_bytes())
    assert identify(path) == identity


def test_the_vendor_of_vorbis_comments_leaves_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg")
    identity = identify(path)
    file: Any = mutagen.File(path)
    file.tags.vendor = "another tool"
    file.save()
    assert identify(path) == identity


def test_arrangement_of_the_container_leaves_it(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.m4a")
    assert identify(write(tmp_path / "b.m4a", movflags="faststart")) == identify(plain)
    plain = write(tmp_path / "a.opus")
    assert identify(write(tmp_path / "b.opus", page_duration="20000")) == identify(plain)


@pytest.mark.parametrize("ending", CODECS)
def test_other_audio_has_another(ending: str, tmp_path: Path) -> None:
    first = identify(write(tmp_path / f"a{ending}"))
    assert identify(write(tmp_path / f"again{ending}")) == first
    assert identify(write(tmp_path / f"b{ending}", seed=1)) != first


def test_one_changed_sample_and_another_rate_change_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    identity = identify(path)
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    (tmp_path / "b.wav").write_bytes(data)
    assert identify(tmp_path / "b.wav") != identity
    samples = music(3)
    slower = write_audio(tmp_path / "c.wav", samples, 22_050)
    assert identify(slower) != identity


def test_a_file_without_packets_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AudioError) as caught:
        identify(path)
    assert caught.value.kind == "damaged"
