"""FFmpeg's demuxers, fenced in: only known audio formats, only this file, no noise on stderr.

Playlists, concatenations and other formats that name further files or addresses are not on the
list of formats, and the list of protocols that a demuxer may open by itself is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import av.logging
import msgspec
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from mess_plugin.audio import declared_duration, ogg, pcm_headers
from mess_plugin.audio.source import Pieces, Source
from mess_plugin.errors import AudioError

av.logging.set_level(
    None
)  # FFmpeg's own log would flood stderr, and taking it can deadlock threads

FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,dts,dtshd,eac3,flac,iff,matroska,mov,mp3,mpc,mpc8,ogg,tak,tta"
    ",w64,wav,wv"
)
"""The demuxers that may run. None of them opens a second file with the options given here."""

_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
ODD_METADATA: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)  # from 19 on PyAV escapes tags that are not UTF-8 by itself
_READ_BYTES = 1 << 18
_CHECK_EVERY_PACKETS = 32  # for the time limit, which every read from the file looks at as well
_MAX_ERRORS_IN_A_ROW = 20_000  # WavPack gives one for every 32 bytes without a block
_MIN_BITS_PER_SECOND = 64  # a header that promises more time than this is not believed
_MAGIC = (
    (0, b"fLaC"), (0, b"OggS"), (0, b"RIFF"), (0, b"RF64"), (0, b"FORM"), (4, b"ftyp"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), (0, b"\x1a\x45\xdf\xa3"), (0, b"MAC "),
    (0, b"wvpk"), (0, b"TTA1"), (0, b"caff"), (0, b"DSD "), (0, b"MPCK"), (0, b"MP+"),
    (0, b"tBaK"), (0, b".snd"), (0, b"\xff\xfb"), (0, b"\xff\xf1"), (0, b"\x0b\x77"),
)  # fmt: skip
_PROTECTED_TAGS = frozenset({"drms", "enca", "aavd"})
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_ENCRYPTION = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),  # content encryption object
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),  # extended content encryption object
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"),  # advanced content encryption object
)


class AudioInfo(msgspec.Struct, frozen=True):
    """What a file says about its audio. duration_s may be an estimate, None where unknown."""

    codec: str
    rate_hz: int
    channels: int
    duration_s: float | None


def probe(path: Path) -> AudioInfo:
    """Read the headers only. Raises AudioError as `decode` does on opening."""
    with Container(path) as container:
        context = container.stream.codec_context
        return AudioInfo(
            codec=context.codec.canonical_name,
            rate_hz=context.sample_rate,
            channels=context.channels,
            duration_s=container.header_duration_s(),
        )


class Container:
    """An opened file and its first audio stream.

    A chained Ogg file has several parts, read one after another: `av` and `stream` are those of the
    part that is being read, the first one to begin with.

    Raises AudioError: missing, unreadable, empty, not-audio, damaged, protected, too-slow.
    """

    def __init__(self, path: Path, limit_s: float | None = None) -> None:
        self.demux_errors = 0
        """Places where the packets could not be read on, and parts that cannot be opened."""
        self.source = Source(path, limit_s)
        try:
            self._parts = self._laid_out()
            self._durations_s = self._look_ahead() if len(self._parts) > 1 else {}
            self._part = -1
            self.next_part()
        except BaseException:
            self.source.close()
            raise

    def close(self) -> None:
        """Close the demuxer and the file; closing twice is harmless."""
        self.av.close()
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def has_parts(self) -> bool:
        """Whether the file is several files put together."""
        return len(self._parts) > 1

    def next_part(self) -> bool:
        """Go on to the next part that has sound; False behind the last one."""
        while self._part + 1 < len(self._parts):
            self._part += 1
            if self.has_parts:
                if self._part not in self._durations_s:
                    continue
                if self._part > min(self._durations_s):
                    self.av.close()
            self._open_part(self._part)
            return True
        return False

    def packets(self) -> Iterator[Packet[AudioStream]]:
        """Every packet of the part from the current position; the last one is the empty flush.

        Bytes that cannot be read as packets are counted in `demux_errors` and passed over.
        """
        errors_in_a_row = 0
        while errors_in_a_row < _MAX_ERRORS_IN_A_ROW:
            try:
                for number, packet in enumerate(self.av.demux(self.stream)):
                    if number % _CHECK_EVERY_PACKETS == 0:
                        self.source.check()
                    self.source.found_something()
                    errors_in_a_row = 0
                    yield packet
            except EOFError:
                return
            except av.FFmpegError:
                self.source.check()
                self.demux_errors += not errors_in_a_row
                errors_in_a_row += 1
            else:
                self.source.check()
                return

    def header_duration_s(self) -> float | None:
        """Seconds that the headers state or FFmpeg estimates, None where not to be believed."""
        if self.has_parts:
            return self.stated_duration_s()
        return self._header_s()

    def stated_duration_s(self) -> float | None:
        """Seconds that the file itself states, so that what is missing can be told.

        None where it states nothing and FFmpeg only divides its size by a bit rate.
        """
        if self.has_parts:
            known = [seconds for seconds in self._durations_s.values() if seconds is not None]
            return sum(known) if len(known) == len(self._durations_s) else None
        return self._stated_s()

    def part_duration_s(self) -> float | None:
        """As `stated_duration_s`, of the part that is being read."""
        return self._durations_s[self._part] if self.has_parts else self._stated_s()

    def times_survive_seeking(self) -> bool:
        """Whether a packet has the same time after a seek as when read from the start.

        Bare AC-3 and DTS have no times of their own, and FFmpeg adds up rounded ones. Of a file in
        parts only the one that is being read could be sought in.
        """
        return self.av.format.name not in {"ac3", "dts", "eac3"} and not self.has_parts

    def tick_s(self) -> float:
        """Seconds per unit of a packet's time."""
        base = self.stream.time_base
        if base:
            return base.numerator / base.denominator
        return 1 / (self.stream.codec_context.sample_rate or 1)

    def _header_s(self) -> float | None:
        stream = self.stream
        if stream.duration is not None and stream.time_base is not None:
            seconds = stream.duration * self.tick_s()
        elif self.av.duration is not None:
            seconds = self.av.duration / av.time_base
        else:
            return None
        too_long = seconds * _MIN_BITS_PER_SECOND > self.source.file_bytes * 8
        return seconds if seconds > 0 and not too_long else None

    def _stated_s(self) -> float | None:
        return declared_duration.stated_duration_s(
            self.av.format.name,
            self.source,
            self.stream.codec_context.sample_rate,
            self._header_s(),
        )

    def _laid_out(self) -> list[Pieces]:
        """The parts of the file, each with its header mended."""
        _refuse_protected_asf(self.source)
        if ogg.is_ogg(self.source.peek(4)):
            return [self.source.pieces(start, end) for start, end in ogg.parts(self.source)]
        pcm_headers.repair(self.source)
        return [self.source.pieces(0, self.source.size_bytes)]

    def _look_ahead(self) -> dict[int, float | None]:
        """Seconds that each part with sound states; what cannot be opened is counted as damage.

        Raises AudioError where no part can be opened.
        """
        found: dict[int, float | None] = {}
        problem: AudioError | None = None
        for part in range(len(self._parts)):
            try:
                self._open_part(part)
            except AudioError as error:
                self.source.check()
                problem = problem or error
                self.demux_errors += error.kind == "damaged"
                continue
            found[part] = self._stated_s()
            self.av.close()
        if not found and problem is not None:
            raise problem
        return found

    def _open_part(self, part: int) -> None:
        """Open one part, an Ogg part that FFmpeg refuses without its repeated headers."""
        self.source.show(self._parts[part])
        try:
            opened = self._open()
        except AudioError:
            if not (ogg.is_ogg(self.source.peek(4)) and ogg.drop_repeated_headers(self.source)):
                raise
            opened = self._open()
        try:
            self.source.check()
            self.source.found_something()
            self.av, self.stream = opened, self._first_audio_stream(opened)
        except BaseException:
            opened.close()
            raise

    def _open(self) -> InputContainer:
        self.source.found_something()
        try:
            opened: InputContainer = av.open(
                self.source, "r", options=_OPTIONS, buffer_size=_READ_BYTES, **ODD_METADATA
            )
        except (av.FFmpegError, ValueError, EOFError) as problem:
            self.source.check()
            raise self._not_opened() from problem
        return opened

    def _not_opened(self) -> AudioError:
        head = self.source.peek(16)
        if not head:
            return self.source.error("damaged", "The file holds tags but no sound.")
        if any(head[at : at + len(magic)] == magic for at, magic in _MAGIC):
            return self.source.error(
                "damaged", "The file is cut off or damaged so that it cannot be opened."
            )
        return self.source.error("not-audio", "This is not a sound file that MESS can read.")

    def _first_audio_stream(self, opened: InputContainer) -> AudioStream:
        streams = [stream for stream in opened.streams if stream.type == "audio"]
        if not streams:
            raise self.source.error("not-audio", "There is no sound in this file.")
        stream = cast(AudioStream, streams[0])
        context = stream.codec_context
        if context is not None and _tag_of(context) in _PROTECTED_TAGS:
            raise self.source.error(
                "protected", "The file is copy-protected (DRM), so its sound cannot be read."
            )
        if context is None:
            raise self.source.error("not-audio", "Its sound is of a kind that MESS cannot decode.")
        context.thread_count = 1
        return stream


def _tag_of(context: AudioCodecContext) -> str:
    """The four letters that the container names the codec by; "" where they are none."""
    try:
        return context.codec_tag.lower()
    except UnicodeDecodeError:  # PyAV reads them as ASCII; in WAV they are any number
        return ""


@contextmanager
def translated(source: Source) -> Iterator[None]:
    """What FFmpeg refuses in the sound of a file, as AudioError damaged.

    The one boundary of this package: whatever calls into PyAV once a file is open does so within it.
    """
    try:
        yield
    except (av.FFmpegError, ValueError) as problem:  # PyAV 19 calls unknown codecs a ValueError
        if isinstance(problem, MemoryError):
            raise
        source.check()
        reason = getattr(problem, "strerror", None) or str(problem) or "it is not valid"
        raise source.error("damaged", f"Its sound cannot be decoded: {reason}.") from problem


def _refuse_protected_asf(source: Source) -> None:
    """Windows Media files name their encryption in the header, which FFmpeg only logs."""
    if source.peek(16) != _ASF_HEADER:
        return
    header = source.peek(1 << 20)
    header = header[: int.from_bytes(header[16:24], "little")]
    if any(mark in header for mark in _ASF_ENCRYPTION):
        raise source.error(
            "protected", "The file is copy-protected (DRM), so its sound cannot be read."
        )
