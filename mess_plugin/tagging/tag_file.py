"""The tags of one audio file: read and set by name, and compared with what they were."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import mutagen
from mutagen.aiff import AIFF
from mutagen.flac import FLAC
from mutagen.id3 import Frames
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

from mess_plugin.errors import AudioError
from mess_plugin.library.tags import NAMES, PARSER_FAILURES

_FAMILIES: dict[type[Any], str] = {
    MP3: "id3", AIFF: "id3", WAVE: "id3", FLAC: "vorbis", OggVorbis: "vorbis", OggOpus: "opus",
    MP4: "mp4",
}  # fmt: skip
_GAIN = {
    "id3": ("TXXX:REPLAYGAIN_TRACK_GAIN",),
    "vorbis": ("REPLAYGAIN_TRACK_GAIN",),
    "opus": ("R128_TRACK_GAIN",),
    "mp4": ("----:com.apple.iTunes:replaygain_track_gain",),
}
_WRITTEN = {
    ("id3", "bpm"): "TBPM", ("id3", "key"): "TKEY",
    ("vorbis", "bpm"): "BPM", ("vorbis", "key"): "INITIALKEY",
    ("opus", "bpm"): "BPM", ("opus", "key"): "INITIALKEY",
    ("mp4", "bpm"): "tmpo", ("mp4", "key"): "----:com.apple.iTunes:initialkey",
}  # fmt: skip
_ID3 = {"id3"}


class TagFile:
    """The tags of one file, open. family: "id3", "vorbis", "opus" or "mp4"."""

    def __init__(self, path: Path) -> None:
        """Raises AudioError where the file is of a kind whose tags are not written, or is broken."""
        self.path = path
        self._file = _open(path)
        self.family = _FAMILIES[type(self._file)]
        self._is_new = self._file.tags is None

    def names(self, field: str) -> tuple[str, ...]:
        """The names that a field has in this file; where it has none, the one to give it."""
        if field == "replaygain":
            known: Sequence[str] = _GAIN[self.family]
            default = known[0]
        else:
            known = NAMES["vorbis" if self.family == "opus" else self.family][field]
            default = _WRITTEN[self.family, field]
        there = {name.lower(): name for name in self._keys()}
        found = tuple(there[name.lower()] for name in known if name.lower() in there)
        return tuple(name for name in found if self.get(name)) or (default,)

    def get(self, name: str) -> tuple[str, ...] | None:
        """The values of one tag as texts; None where it is not there."""
        tags = self._file.tags
        there = {key.lower(): key for key in self._keys()}
        if tags is None or name.lower() not in there:
            return None
        value = tags[there[name.lower()]]
        if self.family in _ID3:
            return tuple(str(text) for text in getattr(value, "text", ()))
        values = value if isinstance(value, list) else [value]
        return tuple(
            v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values
        )

    def set(self, name: str, values: Sequence[str] | None) -> None:
        """Give a tag these values, or take it away (None); nothing is written yet."""
        if self._file.tags is None:
            self._file.add_tags()
        tags = self._file.tags
        there = {key.lower(): key for key in self._keys()}
        key = there.get(name.lower(), name)
        if values is None:
            if name.lower() in there:
                del tags[key]
        elif self.family in _ID3:
            tags.setall(key, [_frame(key, values)])
        elif name == "tmpo":
            tags[key] = [round(float(value)) for value in values]
        elif name.startswith("----"):
            tags[key] = [_free_form(value) for value in values]
        else:
            tags[key] = list(values)

    def save(self) -> None:
        """Write the tags into the file; ID3 keeps its version, a new one is 2.3. Raises OSError."""
        if self.family not in _ID3:
            self._file.save()
            return
        # Of the versions, every player reads 2.3; values of a list stay apart as they were. What
        # mutagen makes of ID3v1 are frames of 2.4.
        was = self._file.tags.version[:2]
        version = 4 if (was == (2, 4) or was[0] == 1) and not self._is_new else 3
        self._file.save(v2_version=version, v23_sep=None)

    def others(self, names: Sequence[str]) -> dict[str, bytes]:
        """All tags but some, as digests by name: what must survive."""
        spared = {name.lower() for name in names}
        tags = self._file.tags
        found = {
            key.lower(): _digest(tags[key]) for key in self._keys() if key.lower() not in spared
        }
        if isinstance(self._file, FLAC):
            found["pictures"] = _digest([picture.write() for picture in self._file.pictures])
        if self.family in _ID3 and tags is not None and tags.unknown_frames:
            found["unknown frames"] = _digest(tags.unknown_frames)
        return found

    def _keys(self) -> list[str]:
        tags = self._file.tags
        return [] if tags is None else list(dict.fromkeys(tags.keys()))


def _open(path: Path) -> Any:
    try:
        guessed = mutagen.File(path)
        kind = type(guessed)
        if kind not in _FAMILIES:
            raise AudioError(str(path), "not-audio", "tags of this kind of file are not written")
        # ID3 as it is in the file: nothing is translated to another version.
        options = {"translate": False} if _FAMILIES[kind] in _ID3 else {}
        return kind(path, **options)
    except PARSER_FAILURES as error:
        raise AudioError(str(path), "damaged", f"its tags cannot be read: {error}") from error


def _free_form(value: str) -> Any:
    return MP4FreeForm(value.encode(), dataformat=AtomDataType.UTF8)  # type: ignore[no-untyped-call]


def _frame(key: str, values: Sequence[str]) -> Any:
    plain = all(value.isascii() for value in values)
    encoding = 0 if plain else 1  # Latin-1 or UTF-16: both versions know them
    kind, _, description = key.partition(":")
    if kind == "TXXX":
        return Frames["TXXX"](encoding=encoding, desc=description, text=list(values))
    return Frames[kind](encoding=encoding, text=list(values))


def _digest(value: object) -> bytes:
    return blake2b(repr(value).encode("utf-8", "surrogateescape"), digest_size=16).digest()
