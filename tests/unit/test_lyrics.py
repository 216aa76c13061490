"""Reading lyrics: every kind of tag, files beside the music, and what only looks like lyrics."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen.id3 import ID3, SYLT, TXXX, USLT

from mess_plugin.library.languages import NAMES, detect, names_of, stemmer
from mess_plugin.library.lyrics import MOST_BYTES, decoded, find_beside, parse, read_lyrics
from tests.audio_files import tone, write_audio

WORDS = "Walking in the rain\nI think of you and nobody else tonight"
TIMED = """[ti:Rain]
[offset:500]
[00:12.50]Walking in the rain
[00:20.00][01:20:00]Think <00:21.00>of you"""


def written(folder: Path, ending: str) -> Path:
    return write_audio(folder / f"a{ending}", tone(0.5, 44_100), 44_100)


def tagged(path: Path, name: str, value: Any) -> None:
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        file.tags.add(value)
    else:
        file.tags[name] = value
    file.save()


@pytest.mark.parametrize(
    ("ending", "name", "value"),
    [
        (".mp3", "", USLT(lang="eng", text=WORDS)),
        (".aiff", "", USLT(lang="eng", text=WORDS)),
        (".mp3", "", TXXX(desc="LYRICS", text=WORDS)),
        (".flac", "LYRICS", WORDS),
        (".flac", "unsyncedlyrics", WORDS),
        (".ogg", "LYRICS", WORDS),
        (".m4a", "\xa9lyr", WORDS),
        (".wma", "WM/Lyrics", WORDS),
        (".wv", "Lyrics", WORDS),
    ],
)
def test_every_family_of_tags(tmp_path: Path, ending: str, name: str, value: Any) -> None:
    path = written(tmp_path, ending)
    assert read_lyrics(path) is None
    tagged(path, name, value)
    lyrics = read_lyrics(path)
    assert lyrics is not None
    assert (lyrics.text, lyrics.starts_s) == (WORDS, ())
    assert (lyrics.language, lyrics.stemmer, lyrics.beside) == ("en", "english", "")


def test_times_in_tags(tmp_path: Path) -> None:
    path = written(tmp_path, ".mp3")
    tagged(path, "", USLT(lang="eng", text="untimed words"))
    lines = [("Walk", 1500), ("ing", 1800), ("\nin the rain", 4000)]
    tagged(path, "", SYLT(lang="eng", format=2, type=1, text=lines))
    lyrics = read_lyrics(path)
    assert lyrics is not None
    assert lyrics.text == "Walking\nin the rain"
    assert lyrics.starts_s == (1.5, 4.0)
    other = written(tmp_path, ".flac")
    tagged(other, "LYRICS", TIMED)
    found = read_lyrics(other)
    assert found is not None
    assert found.starts_s == (12.0, 19.5, 79.5)


def test_files_beside_the_music(tmp_path: Path) -> None:
    path = written(tmp_path, ".flac")
    tagged(path, "LYRICS", "from the tag")
    (tmp_path / "a.TXT").write_text(WORDS)
    (tmp_path / "other.lrc").write_text("[00:01.00]of another song")
    first = read_lyrics(path)
    assert first is not None
    assert first.text == WORDS
    (tmp_path / "a.lrc").write_text(TIMED)
    second = read_lyrics(path)
    assert second is not None
    assert second.text == "Walking in the rain\nThink of you\nThink of you"
    assert len({first.beside, second.beside, ""}) == 3
    os.mkfifo(tmp_path / "b.lrc")  # reading it would wait for ever
    assert find_beside(str(tmp_path / "b.flac")) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (TIMED, [(12.0, "Walking in the rain"), (19.5, "Think of you"), (79.5, "Think of you")]),
        ("[Chorus]\nOh\0 yes\x1b[31m", [(None, "[Chorus]"), (None, "Oh  yes[31m")]),
        ("[00:01.00]\n[00:02.00]  ", []),
        ("[00:05.00]late\n[00:01.00]early", [(1.0, "early"), (5.0, "late")]),
        ("one\ntwo\n[00:05.00]three", [(None, "one"), (None, "two"), (None, "three")]),
        ("[offset:x]\n[00:01.00]a", [(1.0, "a")]),
        ("\ud800", [(None, "?")]),
        ("", []),
    ],
)
def test_lines(text: str, lines: list[tuple[float | None, str]]) -> None:
    assert parse(text) == lines


def test_what_is_no_lyrics(tmp_path: Path) -> None:
    path = written(tmp_path, ".flac")
    beside = tmp_path / "a.txt"
    for data in (b"x" * (MOST_BYTES + 1), b"\x00\x01\x02rain", b"", b"\n\n \n"):
        beside.write_bytes(data)
        lyrics = read_lyrics(path)
        assert lyrics is not None, "what lies there is remembered, so that it is read once"
        assert (lyrics.text, lyrics.language) == ("", None)
    beside.write_text("\n".join(["la" * 1000] * 50))
    lyrics = read_lyrics(path)
    assert lyrics is not None
    assert max(map(len, lyrics.text.split("\n"))) == 500
    beside.unlink()
    beside.mkdir()
    assert read_lyrics(path) is None
    path.write_bytes(b"no audio at all")
    assert read_lyrics(path) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding: str) -> None:
    assert decoded("Über den Wolken".encode(encoding)) == "Über den Wolken"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Walking in the rain, I think of you and nobody else tonight", "en"),
        ("Über den Wolken muss die Freiheit wohl grenzenlos sein", "de"),
        ("Non, rien de rien, non, je ne regrette rien, ni le bien qu'on m'a fait", "fr"),
        ("Volverán las oscuras golondrinas en tu balcón sus nidos a colgar", "es"),
        ("雨の中で君を待つ、夜が明けるまで歌いながら", "ja"),
        ("Выхожу один я на дорогу, сквозь туман кремнистый путь блестит", "ru"),
        ("la la la la la la la la la la la la la la la", None),
        ("Oh baby", None),
        ("", None),
    ],
)
def test_languages(text: str, code: str | None) -> None:
    assert detect(text) == code


def test_names_of_languages() -> None:
    assert names_of("Deutsch") == ("deutsch",)
    assert names_of("GER") == names_of("de") == ("de", "deu", "ger", "german")
    assert stemmer("de") == "german"
    assert stemmer("ja") == stemmer(None) == "simple"
    every = [name for names in NAMES.values() for name in set(names)]
    assert len(every) == len(set(every)), "no name means two languages"
