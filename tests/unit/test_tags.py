"""Reading tags: every family says the same, oddities are tamed, broken tags are no tags."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import pytest
from mutagen.apev2 import APEv2
from mutagen.asf._attrs import ASFUnicodeAttribute
from mutagen.id3 import (
    ID3,
    POPM,
    TALB,
    TBPM,
    TCON,
    TDRC,
    TIT2,
    TKEY,
    TLAN,
    TPE1,
    TPE2,
    TRCK,
    TXXX,
    UFID,
    ParseID3v1,
)  # fmt: skip
from mutagen.mp4 import MP4FreeForm

from mess_plugin.library.tags import read_tags
from mess_plugin.model import Tags
from tests.audio_files import CODECS, tone, write_audio

RECORDING = "0f4e2ba2-5a2c-4b0e-9d7b-3f1c2d4e5a6b"
RELEASE = "1a2b3c4d-1111-2222-3333-444455556666"
FULL = Tags(
    title="Café del Mar",
    artist="One; Two",
    album="Album",
    album_artist="Various",
    genre="Rock; Ambient",
    year=2004,
    track_number=3,
    bpm=128.0,
    key="F#m",
    musicbrainz_recording=RECORDING,
    musicbrainz_release=RELEASE,
)


def written(folder: Path, ending: str) -> Path:
    rate_hz = 48_000 if CODECS[ending][1] == "libopus" else 44_100
    return write_audio(folder / f"a{ending}", tone(1, rate_hz), rate_hz)


def id3(tags: ID3) -> None:
    for frame in (
        TIT2(text="Café del Mar"), TPE1(text=["One", "Two"]), TALB(text="Album"),
        TPE2(text="Various"), TCON(text=["(17)", "Ambient"]), TDRC(text="2004-05-01"),
        TRCK(text="3/12"), TBPM(text="128"), TKEY(text="F#m"),
        UFID(owner="http://musicbrainz.org", data=RECORDING.encode()),
        TXXX(desc="MusicBrainz Album Id", text=RELEASE),
    ):  # fmt: skip
        tags.add(frame)


def by_names(tags: Any, names: str) -> None:
    values = (
        "Café del Mar", ["One", "Two"], "Album", "Various", ["Rock", "Ambient"], "2004-05-01",
        "3/12", "128", "F#m", RECORDING, RELEASE,
    )  # fmt: skip
    for name, value in zip(names.split("|"), values, strict=True):
        tags[name] = value


VORBIS = (
    "title|artist|album|albumartist|genre|date|tracknumber|bpm|initialkey"
    "|musicbrainz_trackid|musicbrainz_albumid"
)
APE = (
    "Title|Artist|Album|Album Artist|Genre|Year|Track|BPM|InitialKey"
    "|MUSICBRAINZ_TRACKID|MUSICBRAINZ_ALBUMID"
)
ASF = (
    "Title|Author|WM/AlbumTitle|WM/AlbumArtist|WM/Genre|WM/Year|WM/TrackNumber"
    "|WM/BeatsPerMinute|WM/InitialKey|MusicBrainz/Track Id|MusicBrainz/Album Id"
)


def mp4(tags: Any) -> None:
    free = "----:com.apple.iTunes:"
    tags["\xa9nam"] = ["Café del Mar"]
    tags["\xa9ART"] = ["One", "Two"]
    tags["\xa9alb"] = ["Album"]
    tags["aART"] = ["Various"]
    tags["\xa9gen"] = ["Rock", "Ambient"]
    tags["\xa9day"] = ["2004-05-01"]
    tags["trkn"] = [(3, 12)]
    tags["tmpo"] = [128]
    tags[f"{free}initialkey"] = [MP4FreeForm(b"F#m")]
    tags[f"{free}MusicBrainz Track Id"] = [MP4FreeForm(RECORDING.encode())]
    tags[f"{free}MusicBrainz Album Id"] = [MP4FreeForm(RELEASE.encode())]


@pytest.mark.parametrize(
    "ending", [".mp3", ".aiff", ".wav", ".tta", ".flac", ".ogg", ".opus", ".m4a", ".wma", ".wv"]
)
def test_every_family_says_the_same(ending: str, tmp_path: Path) -> None:
    path = written(tmp_path, ending)
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        id3(file.tags)
    elif ending == ".m4a":
        mp4(file.tags)
    elif ending == ".wma":
        by_names(file.tags, ASF)
        file["Author"] = [ASFUnicodeAttribute("One"), ASFUnicodeAttribute("Two")]
    else:
        by_names(file.tags, APE if ending == ".wv" else VORBIS)
    file.save()
    assert read_tags(path) == FULL


def test_files_whose_format_has_no_tags_of_its_own(tmp_path: Path) -> None:
    adts = written(tmp_path, ".aac")
    tags = ID3()
    id3(tags)
    tags.save(adts)
    assert read_tags(adts) == FULL
    ape_only = written(tmp_path, ".mp3")
    ID3(ape_only).delete(ape_only)
    ape = APEv2()
    by_names(ape, APE)
    ape.save(str(ape_only))
    assert read_tags(ape_only) == FULL


def test_old_id3v1(tmp_path: Path) -> None:
    path = written(tmp_path, ".mp3")
    ID3(path).delete(path)
    v1 = b"TAG" + b"Title".ljust(30, b"\0") + b"Artist".ljust(30, b"\0")
    v1 += b"Album".ljust(30, b"\0") + b"1999" + b"".ljust(28, b"\0") + b"\0\x07" + b"\x11"
    assert len(v1) == 128
    assert ParseID3v1(v1)
    with path.open("ab") as file:
        file.write(v1)
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.year, tags.track_number) == ("Title", "Artist", 1999, 7)
    assert tags.genre == "Rock"


@pytest.mark.parametrize(("container", "codec"), [("matroska", "flac"), ("wav", "pcm_s16le")])
def test_what_only_the_demuxer_knows(container: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{container}"
    with av.open(str(path), "w", format=container) as out:
        out.metadata.update({"title": "Title", "artist": "Artist", "date": "1987"})
        stream: Any = out.add_stream(codec, rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), dtype=np.int16), "s16", "mono")
        frame.sample_rate = 44_100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.year) == ("Title", "Artist", 1987)


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("date", "05/2004", "year", 2004),
        ("date", "0000", "year", None),
        ("date", "soon", "year", None),
        ("date", "20040501", "year", 2004),
        ("tracknumber", "A3", "track_number", None),
        ("tracknumber", "07", "track_number", 7),
        ("tracknumber", "99999999999999", "track_number", None),
        ("bpm", "127,5", "bpm", 127.5),
        ("bpm", "0", "bpm", None),
        ("bpm", "nan", "bpm", None),
        ("bpm", "1e308", "bpm", 1.0),
        ("title", "  \x00 a\x00b ", "title", "a b"),
        ("title", "   ", "title", None),
        ("title", "x" * 5000, "title", "x" * 1000),
        ("artist", ["A", "A", "B"], "artist", "A; B"),
        ("musicbrainz_trackid", RECORDING.upper(), "musicbrainz_recording", RECORDING),
        ("musicbrainz_trackid", "not an id", "musicbrainz_recording", None),
    ],
)
def test_oddities(name: str, value: str, field: str, expected: object, tmp_path: Path) -> None:
    path = written(tmp_path, ".flac")
    file: Any = mutagen.File(path)
    file[name] = value
    file.save()
    assert getattr(read_tags(path), field) == expected


@pytest.mark.parametrize("ending", CODECS)
def test_without_tags_and_with_broken_ones(ending: str, tmp_path: Path) -> None:
    path = written(tmp_path, ending)
    assert read_tags(path) == Tags()
    data = path.read_bytes()
    generator = np.random.default_rng(3)
    for _ in range(40):
        broken = bytearray(data)
        for at in generator.integers(0, min(len(data), 1500), 10):
            broken[at] ^= int(generator.integers(1, 256))
        path.write_bytes(broken)
        assert isinstance(read_tags(path), Tags)
    path.write_bytes(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + data)
    assert isinstance(read_tags(path), Tags)


def test_files_that_cannot_be_read_have_no_tags(tmp_path: Path) -> None:
    assert read_tags(tmp_path / "no.mp3") == Tags()
    assert read_tags(tmp_path) == Tags()
    assert read_tags(Path("/dev/zero")) == Tags()
    assert read_tags(tmp_path / "a\0b") == Tags()


@pytest.mark.parametrize(
    ("ending", "name", "value", "stars"),
    [
        (".mp3", "POPM", 255, 5.0), (".mp3", "POPM", 64, 2.0), (".mp3", "POPM", 1, 1.0),
        (".mp3", "POPM", 0, None), (".flac", "RATING", "4", 4.0), (".flac", "RATING", "80", 4.0),
        (".ogg", "FMPS_RATING", "0.5", 2.5), (".ogg", "RATING", "good", None),
        (".wv", "Rating", "300", None), (".wma", "WM/SharedUserRating", 99, 5.0),
        (".wma", "WM/SharedUserRating", 25, 2.0),
    ],
)  # fmt: skip
def test_ratings_of_all_scales_are_stars(
    ending: str, name: str, value: Any, stars: float | None, tmp_path: Path
) -> None:
    path = written(tmp_path, ending)
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if name == "POPM":
        file.tags.add(POPM(email="a player", rating=value, count=0))
        file.tags.add(TLAN(text=["eng", "fra"]))
    else:
        file.tags[name] = value
        file.tags["WM/Language" if ending == ".wma" else "language"] = ["eng", "fra"]
    file.save()
    tags = read_tags(path)
    assert tags.rating == stars
    assert tags.language == "eng; fra"
