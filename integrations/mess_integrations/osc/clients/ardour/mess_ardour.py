"""Between Ardour and `mess osc`: ask for the Lua action, or put markers through Ardour's OSC surface.

    python mess_ardour.py ask FILE START END     # seconds; END 0: the whole file; one row a match
    python mess_ardour.py bridge                 # matches sent to port 9200 become markers

`ask` is what `mess_lookup.lua` runs. `bridge` needs no editor: whoever sends a lookup to MESS with
`port 9200` and an id such as `ardour:480000` gets a marker at sample 480000 for each match, where
Ardour's OSC surface (Preferences, Control Surfaces) listens. Needs python-osc and `mess osc`.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import ArgValue, build_msg

MESS_PORT, ARDOUR_PORT, BRIDGE_PORT = 7770, 3819, 9200
_ANSWER_S = 30.0
_ID = "ardour:"


class NoAnswer(Exception):
    """MESS does not answer, or answers with an error; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Row:
    """One match: seconds in the file at `path`."""

    id: str
    rank: int
    score: float
    start_s: float
    end_s: float
    artist: str
    title: str
    path: str

    @classmethod
    def of(cls, values: Sequence[Any]) -> Row:
        """From the arguments of `/mess/lookup/match`."""
        name, rank, _total, score, start_s, end_s, _ref, artist, title, path = values
        return cls(
            str(name), int(rank), float(score), float(start_s), float(end_s),
            str(artist), str(title), str(path),
        )  # fmt: skip

    @property
    def label(self) -> str:
        """A marker's name: "0.91 So What 1:10-1:12"."""
        title = self.title or os.path.basename(self.path)  # noqa: PTH119
        return f"{self.score:.2f} {title} {clock(self.start_s)}-{clock(self.end_s)}"


def clock(seconds: float) -> str:
    """M:SS."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def ask(options: argparse.Namespace) -> int:
    """Print a row for each match: rank, score, start, end, label and path, with tabs between."""
    try:
        for row in matches(options):
            place = f"{row.rank}\t{row.score:.4f}\t{row.start_s:.3f}\t{row.end_s:.3f}"
            print(f"{place}\t{_plain(row.label)}\t{_plain(row.path)}")
    except NoAnswer as error:
        print(f"error\t{_plain(str(error))}")
        return 1
    return 0


def matches(options: argparse.Namespace) -> Iterator[Row]:
    """The matches of a stretch of a file. Raises NoAnswer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.connect((options.host, options.port))
        own.settimeout(_ANSWER_S)
        name = f"{_ID}{os.getpid()}"
        more: list[ArgValue] = ["k", options.k]
        if secret := os.environ.get("MESS_OSC_SECRET"):
            more += ["auth", secret]
        said = [name, os.path.abspath(options.file), options.start, options.end, *more]  # noqa: PTH100
        own.send(build_msg("/mess/lookup/file", said).dgram)
        while True:
            try:
                message = OscMessage(own.recv(65536))
            except (TimeoutError, ConnectionRefusedError):
                raise NoAnswer("MESS does not answer: is `mess osc` running?") from None
            match message.address:
                case "/mess/lookup/match":
                    yield Row.of(message.params)
                case "/mess/lookup/done":
                    return
                case "/mess/error":
                    raise NoAnswer(f"MESS: {message.params[3]}")


def bridge(options: argparse.Namespace) -> int:
    """Put a marker for each match that arrives, until the program is ended."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mess,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ardour,
    ):
        mess.bind(("127.0.0.1", options.bridge_port))
        ardour.connect(("127.0.0.1", options.ardour_port))
        print(f"listening at port {mess.getsockname()[1]}", file=sys.stderr, flush=True)
        while True:
            message = OscMessage(mess.recv(65536))
            if message.address == "/mess/lookup/match":
                row = Row.of(message.params)
                if row.id.startswith(_ID) and row.id[len(_ID) :].isdecimal():
                    put_marker(ardour, int(row.id[len(_ID) :]), row.label)
            elif message.address == "/mess/error":
                print(f"MESS: {message.params[3]}", file=sys.stderr, flush=True)


def put_marker(ardour: socket.socket, sample: int, label: str) -> None:
    """Move the playhead, and add a named marker there. Ardour answers neither."""
    try:
        ardour.send(build_msg("/locate", [sample, 0]).dgram)
        time.sleep(0.2)  # the marker is put where the playhead is when the second message comes
        ardour.send(build_msg("/add_marker", [label]).dgram)
        time.sleep(0.05)
    except ConnectionRefusedError:
        print("Ardour does not listen: is its OSC surface on?", file=sys.stderr, flush=True)


def _plain(text: str) -> str:
    """Text for one field of a line; the bytes of file names stay as they are."""
    return text.translate({ord(c): " " for c in "\t\r\n"})


def main() -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="of `mess osc`")
    parser.add_argument("--port", type=int, default=MESS_PORT, help="of `mess osc`")
    commands = parser.add_subparsers(required=True)
    asking = commands.add_parser("ask")
    asking.add_argument("file")
    asking.add_argument("start", type=float)
    asking.add_argument("end", type=float)
    asking.add_argument("-k", type=int, default=9)
    asking.set_defaults(run=ask)
    bridging = commands.add_parser("bridge")
    bridging.add_argument("--ardour-port", type=int, default=ARDOUR_PORT)
    bridging.add_argument("--bridge-port", type=int, default=BRIDGE_PORT)
    bridging.set_defaults(run=bridge)
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    try:
        sys.exit(options.run(options))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
