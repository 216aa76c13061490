"""What goes back to a client: at most 1,024 bytes each, of the types i, f and s."""

from __future__ import annotations

from mess_integrations.osc.wire import MAX_REPLY_BYTES, shorten, shorten_path, write_message
from mess_plugin.model import Interval, Match, Track

PROTOCOL = 1
_NAME_BYTES = 160  # of an artist, a title, a reference
_TEXT_BYTES = 600

ADDRESSES: dict[str, tuple[str, str]] = {
    "/mess/pong": ("si", "Version and protocol."),
    "/mess/auth/ok": ("", "The secret was right."),
    "/mess/client/ok": ("i", "The port that answers go to from now on; 0: the sender's."),
    "/mess/lookup/ack": ("ssf", "A lookup is queued or running, and about how many seconds."),
    "/mess/lookup/ready": ("si", "Send the sound, in blocks of at most so many bytes."),
    "/mess/lookup/match": ("siifffssss", "One match."),
    "/mess/lookup/done": ("sif", "All matches were sent: how many, after how many seconds."),
    "/mess/lookup/cancelled": ("s", "The lookup will not be answered any more."),
    "/mess/excerpt/ready": ("ss", "A stretch is written: its id, and the path of the file."),
    "/mess/library": ("iifsii", "Tracks, files, hours, encoder, lookups waiting and running."),
    "/mess/subscribed": ("i", "Whether news are sent, for ten minutes."),
    "/mess/event/indexed": ("ssss", "A new track: reference, artist, title, path."),
    "/mess/error": ("ssis", "Id, address of the request, code and text."),
}
"""Every address that the server sends to. Whatever comes in at one of them is an echo."""


def pong(version: str) -> bytes:
    """The server is there."""
    return write_message("/mess/pong", version, PROTOCOL)


def auth_ok() -> bytes:
    """The secret was right."""
    return write_message("/mess/auth/ok")


def client_ok(port: int) -> bytes:
    """The port is noted."""
    return write_message("/mess/client/ok", port)


def ack(id_: str, state: str, eta_s: float) -> bytes:
    """A lookup was taken on."""
    return write_message("/mess/lookup/ack", id_, state, eta_s)


def ready(id_: str, block_bytes: int) -> bytes:
    """Blocks are awaited."""
    return write_message("/mess/lookup/ready", id_, block_bytes)


def match(id_: str, one: Match, total: int) -> bytes:
    """One match. Without a stretch of its own, the whole track is the stretch."""
    track = one.track
    where = one.match_section or Interval(0.0, track.duration_s)
    head = (id_, one.rank, total, one.score, where.start_s, where.end_s)
    return _with_track("/mess/lookup/match", head, track)


def done(id_: str, count: int, elapsed_s: float) -> bytes:
    """All matches were sent."""
    return write_message("/mess/lookup/done", id_, count, elapsed_s)


def cancelled(id_: str) -> bytes:
    """No answer will come."""
    return write_message("/mess/lookup/cancelled", id_)


def excerpt_ready(id_: str, path: str) -> bytes:
    """A stretch is written as a file."""
    empty = write_message("/mess/excerpt/ready", id_, "")
    shown = shorten_path(path, MAX_REPLY_BYTES - len(empty))
    return write_message("/mess/excerpt/ready", id_, shown)


def library(
    n_tracks: int, n_files: int, hours: float, encoder: str, waiting: int, running: int
) -> bytes:
    """What the library holds, and what the server is doing."""
    name = shorten(encoder, _NAME_BYTES)
    return write_message("/mess/library", n_tracks, n_files, hours, name, waiting, running)


def subscribed(on: bool) -> bytes:
    """Whether news will come."""
    return write_message("/mess/subscribed", int(on))


def indexed(track: Track) -> bytes:
    """A new track."""
    return _with_track("/mess/event/indexed", (), track)


def error(id_: str, request: str, code: int, text: str) -> bytes:
    """What went wrong, and what to do."""
    one_line = " ".join(text.split("\n"))
    return write_message(
        "/mess/error", shorten(id_, 64), shorten(request, 64), code, shorten(one_line, _TEXT_BYTES)
    )


def _with_track(address: str, head: tuple[str | int | float, ...], track: Track) -> bytes:
    """Reference, artist, title and path behind the head; the path is cut first, at its front.

    The path goes out in the bytes of the file system, which are what a client can open.
    """
    names = (
        f"mess:{track.id}",
        shorten(track.tags.artist or "", _NAME_BYTES),
        shorten(track.title, _NAME_BYTES),
    )
    without_path = len(write_message(address, *head, *names, ""))
    room = MAX_REPLY_BYTES - without_path  # the empty path takes 4 bytes, the zero behind it one
    path = shorten_path(track.path or "", room)
    return write_message(address, *head, *names, path)
