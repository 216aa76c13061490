"""Lyrics from a file's tags and from `.lrc` and `.txt` files beside it. Never from the network.

Timed lyrics go before untimed ones, and a file beside the music before its tags. What is too large or
no text is not lyrics, never an error.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import mutagen
from mutagen.asf import ASFTags
from mutagen.id3 import ID3, SYLT, USLT

from mess_plugin.library.languages import NAMES, detect, stemmer
from mess_plugin.library.tags import PARSER_FAILURES
from mess_plugin.library.walk import LYRICS_ENDINGS
from mess_plugin.store.lyrics import Lyrics

MOST_BYTES = 131_072
"""A larger file beside the music, and a longer tag, is not taken for lyrics."""
_MOST_LINES, _MOST_LINE = 2000, 500
_STAMP = re.compile(r"\[(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)\]")
_LINE_TAG = re.compile(r"\[(ti|ar|al|au|by|re|ve|la|length|tool|offset|#)\s*:([^\]]*)\]", re.I)
_WORD_STAMP = re.compile(r"<\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?>")
_CONTROLS = dict.fromkeys((*range(32), 127))
_SUNG = ((2, 0), (2, 1))  # SYLT: milliseconds, not MPEG frames; lyrics, not chords or events
_LATIN = "cp1252"
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
Line = tuple[float | None, str]


class Beside(msgspec.Struct, frozen=True):
    """A file of lyrics beside the music."""

    path: str
    stamp: str
    """Another text when the file has changed."""


def read_lyrics(path: Path, beside: Sequence[Beside] | None = None) -> Lyrics | None:
    """The lyrics of a music file; None where it has none and no file beside it could hold any.

    beside: what `find_beside` found; None looks. Broken tags and files hold none.
    """
    files = find_beside(str(path)) if beside is None else beside
    candidates = [lines for one in files if (lines := _from_file(one.path))]
    candidates += [lines for lines in _from_tags(path) if lines]
    timed = (lines for lines in candidates if any(start is not None for start, _ in lines))
    lines = next(timed, candidates[0] if candidates else [])
    stamp = _joined_stamp(files)
    if not lines and not stamp:
        return None
    text = "\n".join(words for _, words in lines)
    language = detect(text)
    return Lyrics(
        text=text,
        starts_s=tuple(start for start, _ in lines if start is not None),
        language=language,
        language_names=NAMES.get(language or "", ()),
        stemmer=stemmer(language),
        beside=stamp,
    )


def find_beside(path: str, names: Iterable[str] | None = None) -> list[Beside]:
    """Files of lyrics with the name of a music file but for the ending, the preferred one first.

    names: those in its folder; None looks for the endings in lower and in upper case.
    """
    folder, name = os.path.split(path)
    stem = os.path.splitext(name)[0]  # noqa: PTH122  any bytes, no Path
    spelled = (stem + spelling for end in LYRICS_ENDINGS for spelling in (end, end.upper()))
    there = None if names is None else set(names)
    found = []
    for name in spelled:
        if there is not None and name not in there:
            continue
        one = os.path.join(folder, name)  # noqa: PTH118  as above
        try:
            about = os.stat(one)  # noqa: PTH116
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(about.st_mode):
            found.append(Beside(one, f"{name!a}:{about.st_mtime_ns}:{about.st_size}"))
    return found


def stamp_of(path: str, names: Iterable[str] | None = None) -> str:
    """What `Lyrics.beside` is for a music file now; "" where nothing lies beside it."""
    return _joined_stamp(find_beside(path, names))


def _joined_stamp(files: Sequence[Beside]) -> str:
    return "|".join(one.stamp for one in files)


def parse(text: str) -> list[Line]:
    """Lines with their times in seconds, None where a line has none; [] for a text without words.

    Lines of the LRC format are ordered by time and its headers left out; a line that is sung several
    times comes several times.
    """
    offset_s = 0.0
    lines: list[Line] = []
    for raw in text.replace("\0", " ").splitlines()[: 2 * _MOST_LINES]:
        line = raw.strip()
        if header := _LINE_TAG.match(line):
            if header[1].lower() == "offset":
                offset_s = _offset_s(header[2])
            continue
        starts, rest = _starts(line)
        words = _clean(_WORD_STAMP.sub("", rest) if starts else rest)
        if words:
            lines += [(start, words) for start in starts] or [(None, words)]
    timed = sorted((line for line in lines if line[0] is not None), key=lambda line: line[0] or 0)
    if len(timed) * 2 < len(lines):
        return [(None, words) for _, words in lines[:_MOST_LINES]]
    return [(max(0.0, (start or 0) - offset_s), words) for start, words in timed[:_MOST_LINES]]


def _starts(line: str) -> tuple[list[float], str]:
    starts, end = [], 0
    while found := _STAMP.match(line, end):
        starts.append(60.0 * int(found[1]) + float(found[2].replace(":", ".")))
        end = found.end()
    return starts, line[end:]


def _offset_s(text: str) -> float:
    try:
        return max(-60.0, min(60.0, int(text) / 1000))
    except ValueError:
        return 0.0


def _clean(text: str) -> str:
    """A line that a database takes and a terminal shows: no controls, no lone surrogates, bounded."""
    plain = text.replace("\t", " ").translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return plain.strip()[:_MOST_LINE].rstrip()


def _from_file(path: str) -> list[Line]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  any bytes, no Path
            data = file.read(MOST_BYTES + 1)
    except OSError:
        return []
    return [] if len(data) > MOST_BYTES else parse(decoded(data))


def decoded(data: bytes) -> str:
    """Bytes as text: by their mark, else UTF-8, else Windows' Latin; "" for what is no text."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, "replace").removeprefix("\ufeff")
    if b"\0" in data:
        return ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(_LATIN, "replace")


def _from_tags(path: Path) -> Iterator[list[Line]]:
    """The lyrics in each tag that may hold some."""
    try:
        with path.open("rb") as file:
            opened = mutagen.File(file)
            tags = opened.tags if opened is not None else None
            found = list(_texts(tags)) if tags else []
    except PARSER_FAILURES:
        return
    for one in found:
        if isinstance(one, str):
            yield parse(one) if len(one) <= MOST_BYTES else []
        else:
            yield one


def _texts(tags: Any) -> Iterator[str | list[Line]]:
    if isinstance(tags, ID3):
        frames: Any = tags
        for frame in frames.values():
            yield _of_frame(frame)
        return
    names = {key.lower(): key for key in tags.keys()}  # noqa: SIM118  Vorbis comments give pairs
    for name in _ASF_NAMES if isinstance(tags, ASFTags) else _NAMES:
        if name in names:
            value = tags[names[name]]
            yield "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _of_frame(frame: Any) -> str | list[Line]:
    if isinstance(frame, SYLT):
        is_sung = (frame.format, frame.type) in _SUNG  # type: ignore[attr-defined]
        return _synchronised(frame) if is_sung else []
    if isinstance(frame, USLT):
        return str(frame.text)  # type: ignore[attr-defined]
    return "\n".join(map(str, frame.text)) if frame.HashKey.lower() in _ID3_NAMES else ""


_ID3_NAMES = frozenset({"txxx:lyrics", "txxx:unsyncedlyrics", "txxx:syncedlyrics"})
_NAMES = ("syncedlyrics", "lyrics", "unsyncedlyrics", "unsynced lyrics", "\xa9lyr")
_ASF_NAMES = ("wm/lyrics_synchronised", "wm/lyrics")


def _synchronised(frame: Any) -> list[Line]:
    """Lines of a SYLT frame. It may time syllables: then a new line begins with a line feed."""
    lines: list[tuple[float, str]] = []
    by_syllables = any("\n" in text for text, _ in frame.text)
    for text, time_ms in frame.text[: 50 * _MOST_LINES]:
        if lines and by_syllables and not text.startswith(("\n", "\r")):
            start, before = lines[-1]
            lines[-1] = (start, (before + text)[: 2 * _MOST_LINE])
        else:
            lines.append((time_ms / 1000, text))
    cleaned: list[Line] = [(start, _clean(text.replace("\n", " "))) for start, text in lines]
    return [(start, words) for start, words in cleaned if words][:_MOST_LINES]
