"""What a file says about itself, through mutagen. Broken tags are no tags, never an error.

One table per family of tags maps our fields to the names that Picard, beets, foobar2000 and
iTunes write: https://picard-docs.musicbrainz.org/en/appendices/tag_mapping.html
"""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import mutagen
from mutagen.apev2 import APETextValue, APEv2
from mutagen.asf import ASFTags
from mutagen.id3 import ID3, POPM, TCON, UFID, TextFrame
from mutagen.mp4 import MP4Tags

from mess_plugin.audio.container import Container
from mess_plugin.errors import AudioError
from mess_plugin.model import Tags

_MAX_TEXT = 1000  # characters: nobody reads further, and a hostile tag may hold megabytes
NAMES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "id3": {
        "title": ("TIT2",), "artist": ("TPE1",), "album": ("TALB",), "album_artist": ("TPE2",),
        "genre": ("TCON",), "year": ("TDRC", "TDOR", "TYER", "TXXX:year"),
        "track_number": ("TRCK",), "bpm": ("TBPM",), "key": ("TKEY", "TXXX:initialkey"),
        "musicbrainz_recording": ("UFID:http://musicbrainz.org", "TXXX:musicbrainz track id"),
        "musicbrainz_release": ("TXXX:musicbrainz album id",),
        "language": ("TLAN",), "rating": ("POPM", "TXXX:fmps_rating"),
    },
    "vorbis": {
        "title": ("title",), "artist": ("artist",), "album": ("album",),
        "album_artist": ("albumartist", "album artist"), "genre": ("genre",),
        "year": ("date", "year", "originaldate"), "track_number": ("tracknumber", "track"),
        "bpm": ("bpm", "tempo"), "key": ("initialkey", "key"),
        "musicbrainz_recording": ("musicbrainz_trackid",),
        "musicbrainz_release": ("musicbrainz_albumid",),
        "language": ("language",), "rating": ("fmps_rating", "rating"),
    },
    "mp4": {
        "title": ("\xa9nam",), "artist": ("\xa9art",), "album": ("\xa9alb",),
        "album_artist": ("aart",), "genre": ("\xa9gen",), "year": ("\xa9day",),
        "track_number": ("trkn",), "bpm": ("tmpo", "----:com.apple.itunes:bpm"),
        "key": ("----:com.apple.itunes:initialkey", "----:com.apple.itunes:key"),
        "musicbrainz_recording": ("----:com.apple.itunes:musicbrainz track id",),
        "musicbrainz_release": ("----:com.apple.itunes:musicbrainz album id",),
        "language": ("----:com.apple.itunes:language",),
        "rating": ("rate", "----:com.apple.itunes:fmps_rating", "----:com.apple.itunes:rating"),
    },
    "asf": {
        "title": ("title",), "artist": ("author", "wm/artist"), "album": ("wm/albumtitle",),
        "album_artist": ("wm/albumartist",), "genre": ("wm/genre",), "year": ("wm/year",),
        "track_number": ("wm/tracknumber",), "bpm": ("wm/beatsperminute",),
        "key": ("wm/initialkey",), "musicbrainz_recording": ("musicbrainz/track id",),
        "musicbrainz_release": ("musicbrainz/album id",),
        "language": ("wm/language",), "rating": ("wm/shareduserrating",),
    },
    "ape": {
        "title": ("title",), "artist": ("artist",), "album": ("album",),
        "album_artist": ("album artist", "albumartist"), "genre": ("genre",), "year": ("year",),
        "track_number": ("track",), "bpm": ("bpm",), "key": ("initialkey", "key"),
        "musicbrainz_recording": ("musicbrainz_trackid",),
        "musicbrainz_release": ("musicbrainz_albumid",),
        "language": ("language",), "rating": ("fmps_rating", "rating"),
    },
    "demuxer": {
        "title": ("title",), "artist": ("artist",), "album": ("album",),
        "album_artist": ("album_artist",), "genre": ("genre",), "year": ("date", "year"),
        "track_number": ("track",), "bpm": ("bpm", "tbpm"), "key": ("initialkey",),
        "musicbrainz_recording": ("musicbrainz_trackid",),
        "musicbrainz_release": ("musicbrainz_albumid",),
        "language": (), "rating": (),  # containers claim one where nobody said so
    },
}  # fmt: skip
PARSER_FAILURES = (
    mutagen.MutagenError, struct.error, ArithmeticError, AssertionError, AttributeError, EOFError,
    LookupError, MemoryError, OSError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What mutagen was seen to raise, or can, on broken files: it does not wrap all of its failures."""

_NAMING = frozenset({"title", "artist", "album"})
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEADER_LIMIT_S = 10.0


def read_tags(path: Path) -> Tags:
    """Tags of a file; `Tags()` when it has none, cannot be opened or its tags are broken.

    Several values of one field are joined by "; ". `year` is the first four digits of a date,
    `track_number` the part before a slash, `bpm` positive; MusicBrainz ids are lower-case UUIDs.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Tags()
        with path.open("rb") as file:
            fields = _mutagen_fields(file)
    except PARSER_FAILURES:
        fields = {}
    if not fields.keys() & _NAMING:  # ID3 that only holds a tempo, beside a title in RIFF INFO
        fields = {**_demuxer_fields(path), **fields}
    return _tags(fields)


def _mutagen_fields(file: BinaryIO) -> dict[str, list[str]]:
    """Our field → texts, from whichever family of tags the file carries, the usual one first."""
    fields: dict[str, list[str]] = {}
    try:
        opened = mutagen.File(file)
        if opened is not None and opened.tags:
            fields = _fields(opened.tags, _family(opened.tags))
    except PARSER_FAILURES:  # mutagen takes AAC behind an ID3 tag for a broken MP3
        pass
    for kind, family in ((ID3, "id3"), (APEv2, "ape")):  # on files where no one expects them
        if fields.keys() & _NAMING:
            break
        file.seek(0)
        try:
            fields = {**_fields(kind(file), family), **fields}
        except PARSER_FAILURES:
            continue
    return fields


def _demuxer_fields(path: Path) -> dict[str, list[str]]:
    """Tags that mutagen does not know: Matroska, RIFF INFO, CAF, Sun audio."""
    try:
        with Container(path, _HEADER_LIMIT_S) as container:
            found = container.av.metadata | container.stream.metadata
    except AudioError:
        return {}
    return _fields({key: [text] for key, text in found.items()}, "demuxer")


def _family(tags: object) -> str:
    """Name the row of `NAMES` for a mutagen tag object; all others are Vorbis comments."""
    families = ((ID3, "id3"), (MP4Tags, "mp4"), (ASFTags, "asf"), (APEv2, "ape"))
    return next((name for kind, name in families if isinstance(tags, kind)), "vorbis")


def _fields(tags: Any, family: str) -> dict[str, list[str]]:
    values: dict[str, list[Any]] = {}
    for key in tags.keys():  # noqa: SIM118  (iterating over Vorbis comments gives pairs)
        name = "popm" if isinstance(tags[key], POPM) else key.lower()  # one a player, by its name
        values.setdefault(name, []).append(tags[key])
    fields = {}
    for field, names in NAMES[family].items():
        candidates = ([t for v in values.get(n.lower(), []) for t in _texts(v)] for n in names)
        if texts := next(filter(None, candidates), None):
            fields[field] = texts
    if "rating" in fields:
        fields["rating"] = [str(_stars(fields["rating"][0], values, family))]
    return fields


def _stars(text: str, values: Mapping[str, list[Any]], family: str) -> float | None:
    """A rating in stars, 0 to 5, from the scales that players use; None where there is none.

    POPM: 1 to 255, 64 more a star (as Windows and most others); FMPS: 0 to 1; WM: 1, 25, 50, 75, 99;
    elsewhere up to 5 are stars and more are per cent.
    """
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    if "popm" in values:
        return float(min(5, 1 + round(number / 64))) if number > 0 else None
    if any(name.endswith("fmps_rating") for name in values):
        stars = 5 * number
    elif family == "asf":
        stars = 1 + round(number / 25) if number > 0 else 0.0
    else:
        stars = number if number <= 5 else number / 20
    return stars if 0 <= stars <= 5 else None


def _texts(value: Any) -> list[str]:
    """Give the values of one tag as clean, distinct texts."""
    if isinstance(value, TCON):
        value = value.genres  # "(17)" and "17" are Rock
    elif isinstance(value, UFID):
        value = [getattr(value, "data", b"")]
    elif isinstance(value, POPM):
        value = [getattr(value, "rating", 0)]
    elif isinstance(value, TextFrame):
        value = list(getattr(value, "text", ()))
    elif isinstance(value, APETextValue):
        value = list(value)
    elif not isinstance(value, list):
        return []
    return list(dict.fromkeys(filter(None, map(_text, value))))


def _text(value: object) -> str:
    """One value as text that a database takes: no NUL, no lone surrogate, bounded."""
    if isinstance(value, tuple):  # MP4 track number: (number, total)
        value = value[0] if value else ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return text.strip()[:_MAX_TEXT].rstrip()


def _tags(fields: Mapping[str, list[str]]) -> Tags:
    def joined(field: str) -> str | None:
        return "; ".join(fields.get(field, ()))[:_MAX_TEXT] or None

    return Tags(
        title=joined("title"),
        artist=joined("artist"),
        album=joined("album"),
        album_artist=joined("album_artist"),
        genre=joined("genre"),
        year=_whole_number(r"(?<!\d)\d{4}(?!\d{1,3}(?!\d))", joined("year")),
        track_number=_whole_number(r"^\d{1,5}(?!\d)", joined("track_number")),
        bpm=_bpm(joined("bpm")),
        key=joined("key"),
        musicbrainz_recording=_uuid(joined("musicbrainz_recording")),
        musicbrainz_release=_uuid(joined("musicbrainz_release")),
        language=joined("language"),
        rating=_float(joined("rating")),
    )


def _whole_number(pattern: str, text: str | None) -> int | None:
    found = re.search(pattern, text or "", re.ASCII)
    return int(found[0]) or None if found else None


def _bpm(text: str | None) -> float | None:
    found = re.match(r"\d{1,3}([.,]\d+)?(?!\d)", text or "", re.ASCII)
    return float(found[0].replace(",", ".")) or None if found else None


def _float(text: str | None) -> float | None:
    return None if text in {None, "None"} else float(text or "nan")


def _uuid(text: str | None) -> str | None:
    found = _UUID.search((text or "").lower())
    return found[0] if found else None
