"""FFmpeg's demuxers, fenced in: only known audio formats, only this file, no noise on stderr.

Playlists, concatenations and other formats that name further files or addresses are not on the
list of formats, and the list of protocols that a demuxer may open by itself is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import av.logging
import msgspec
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from mess_plugin.audio import declared_duration
from mess_plugin.audio.source import Source
from mess_plugin.errors import AudioError

av.logging.set_level(
    None
)  # FFmpeg's own log would flood stderr, and taking it can deadlock threads

FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,dts,dtshd,eac3,flac,matroska,mov,mp3,mpc,mpc8,ogg,tak,tta"
    ",w64,wav,wv"
)
"""The demuxers that may run. None of them opens a second file with the options given here."""

_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
_READ_BYTES = 1 << 18
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

    Raises AudioError: missing, unreadable, empty, not-audio, damaged, protected, too-slow.
    `demux_errors` counts the places where the packets could not be read on.
    """

    def __init__(self, path: Path, limit_s: float | None = None) -> None:
        self.demux_errors = 0
        self.source = Source(path, limit_s)
        try:
            _refuse_protected_asf(self.source)
            self.av = self._open()
            try:
                self.source.check()
                self.source.found_something()
                self.stream = self._first_audio_stream()
            except BaseException:
                self.av.close()
                raise
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

    def packets(self) -> Iterator[Packet[AudioStream]]:
        """Every packet of the stream from the current position; the last one is the empty flush.

        Bytes that cannot be read as packets are counted in `demux_errors` and passed over.
        """
        errors_in_a_row = 0
        while errors_in_a_row < _MAX_ERRORS_IN_A_ROW:
            try:
                for packet in self.av.demux(self.stream):
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
        stream = self.stream
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif self.av.duration is not None:
            seconds = self.av.duration / av.time_base
        else:
            return None
        too_long = seconds * _MIN_BITS_PER_SECOND > self.source.file_bytes * 8
        return seconds if seconds > 0 and not too_long else None

    def stated_duration_s(self) -> float | None:
        """Seconds that the file itself states, so that what is missing can be told.

        None where it states nothing and FFmpeg only divides its size by a bit rate.
        """
        return declared_duration.stated_duration_s(
            self.av.format.name,
            self.source,
            self.stream.codec_context.sample_rate,
            self.header_duration_s(),
        )

    def times_survive_seeking(self) -> bool:
        """Whether a packet has the same time after a seek as when read from the start.

        Bare AC-3 and DTS have no times of their own, and FFmpeg adds up rounded ones.
        """
        return self.av.format.name not in {"ac3", "dts", "eac3"}

    def time_base(self) -> Fraction:
        """Seconds per unit of a packet's time."""
        return self.stream.time_base or Fraction(1, self.stream.codec_context.sample_rate or 1)

    def _open(self) -> InputContainer:
        try:
            return av.open(
                self.source,
                "r",
                options=_OPTIONS,
                metadata_errors="ignore",
                buffer_size=_READ_BYTES,
            )
        except (av.FFmpegError, ValueError, EOFError) as problem:
            self.source.check()
            raise self._not_opened() from problem

    def _not_opened(self) -> AudioError:
        head = self.source.peek(16)
        if not head:
            return self.source.error("damaged", "The file holds tags but no sound.")
        if any(head[at : at + len(magic)] == magic for at, magic in _MAGIC):
            return self.source.error(
                "damaged", "The file is cut off or damaged so that it cannot be opened."
            )
        return self.source.error("not-audio", "This is not a sound file that MESS can read.")

    def _first_audio_stream(self) -> AudioStream:
        streams = [stream for stream in self.av.streams if stream.type == "audio"]
        if not streams:
            raise self.source.error("not-audio", "There is no sound in this file.")
        stream = cast(AudioStream, streams[0])
        context = stream.codec_context
        if context is not None and context.codec_tag.lower() in _PROTECTED_TAGS:
            raise self.source.error(
                "protected", "The file is copy-protected (DRM), so its sound cannot be read."
            )
        if context is None:
            raise self.source.error("not-audio", "Its sound is of a kind that MESS cannot decode.")
        context.thread_count = 1
        return stream


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
