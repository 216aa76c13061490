"""The name of a recording's audio: a hash of what the decoder is given, without decoding it.

Packets are hashed as one run of bytes, so that a new arrangement of the same packets in their
container (padding, page sizes, the index moved to the front) leaves the name as it is.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from av.audio.codeccontext import AudioCodecContext

from mess_plugin.audio.container import Container, translated

_SCHEME = b"mess-audio-1"
_SELF_DESCRIBING = frozenset(
    {"aac", "ac3", "dts", "eac3", "flac", "mp1", "mp2", "mp3", "opus", "vorbis"}
)  # their packets or setup data hold rate and channels; guesses of a demuxer stay out of the hash


def identify(path: Path, *, limit_s: float | None = None) -> str:
    """Identity of the audio: 32 hexadecimal digits (BLAKE2b, 128 bits).

    Equal for two files exactly when codec, set-up data and packets of their first audio stream
    are equal: renaming and retagging never change it, and a new encoding always does. All parts of a
    chained Ogg file count. A damaged file is named by what can be read of it. Memory is bounded by
    one packet.
    Raises AudioError as `decode` does on opening, or damaged when there is no packet at all.
    """
    with Container(path, limit_s) as container, translated(container.source):
        digest = blake2b(_SCHEME, digest_size=16)
        has_packets = False
        while True:
            _update_header(digest, container.stream.codec_context)
            for packet in container.packets():
                if packet.size:
                    has_packets = True
                    digest.update(packet)
            if not container.next_part():
                break
        if not has_packets:
            raise container.source.error("damaged", "No sound could be found in this file.")
        return digest.hexdigest()


def _update_header(digest: blake2b, context: AudioCodecContext) -> None:
    codec = context.codec.canonical_name
    digest.update(f"|{codec}|".encode())
    if codec not in _SELF_DESCRIBING:
        digest.update(f"{context.sample_rate}|{context.channels}|".encode())
    digest.update(_setup_data(codec, context.extradata or b""))


def _setup_data(codec: str, extradata: bytes) -> bytes:
    """Give what the decoder is told before the first packet, without comments."""
    if codec == "vorbis":
        return b"".join(
            part for part in _xiph_laced(extradata) if not part.startswith(b"\x03vorbis")
        )
    return extradata


def _xiph_laced(data: bytes) -> list[bytes]:
    """Split Xiph lacing: a count, the sizes of all packets but the last, the packets."""
    if not data:
        return []
    sizes: list[int] = []
    at = 1
    for _ in range(data[0]):
        size = 0
        while at < len(data):
            size += data[at]
            at += 1
            if data[at - 1] < 255:
                break
        sizes.append(size)
    parts = []
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return [*parts, data[at:]]
