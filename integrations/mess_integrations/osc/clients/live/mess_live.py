"""Ask MESS about the selected clip of Ableton Live, by way of AbletonOSC.

    python mess_live.py            # then press Enter whenever a clip is selected

Needs python-osc, Live with the AbletonOSC remote script, and a running `mess osc`.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import ArgValue, build_msg

LIVE_PORT = 11000
LIVE_REPLY_PORT = 11001  # where AbletonOSC answers, whoever asked
MESS_PORT = 7770


class NoReply(Exception):
    """Somebody does not answer, or answers with an error; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is to be looked up; an end of 0 means the whole file."""

    path: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class LiveMatch:
    """One answer of MESS."""

    rank: int
    score: float
    start_s: float
    end_s: float
    ref: str
    artist: str
    title: str
    path: str

    @property
    def name(self) -> str:
        """Artist and title, or the name of the file."""
        if not self.title:
            return Path(self.path).name
        return f"{self.artist} - {self.title}" if self.artist else self.title

    @property
    def line(self) -> str:
        """For people."""
        stretch = f"{clock(self.start_s)}-{clock(self.end_s)}"
        return f"{self.rank:2d}  {self.score:4.0%}  {stretch}  {self.name}\n    {self.path}"


class Link:
    """Messages to one UDP port, and what comes back."""

    def __init__(self, name: str, port: int, own_port: int = 0) -> None:
        self._name = name
        self._address = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", own_port))

    def send(self, address: str, *arguments: ArgValue) -> None:
        """One message."""
        self._socket.sendto(build_msg(address, list(arguments) or "").dgram, self._address)

    def receive(self, timeout_s: float) -> OscMessage:
        """The next message that is text throughout. Raises NoReply."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            self._socket.settimeout(max(0.001, deadline_s - time.monotonic()))
            try:
                return OscMessage(self._socket.recv(65536))
            except (TimeoutError, ConnectionRefusedError):
                raise NoReply(f"{self._name} does not answer: is it running?") from None
            except ParseError:
                continue  # a path whose bytes are no text: Live could not open it either

    def ask(
        self, address: str, *arguments: ArgValue, answer_at: str = "", timeout_s: float = 1.0
    ) -> list[ArgValue]:
        """The arguments of the answer, at the same address or at another. Raises NoReply."""
        deadline_s = time.monotonic() + timeout_s
        self.send(address, *arguments)
        while True:
            answer = self.receive(deadline_s - time.monotonic())
            if answer.address == (answer_at or address):
                return list(answer.params)
            if answer.address == "/live/error":
                raise NoReply(f"Live says: {' '.join(map(str, answer.params))}")


def selected_stretch(live: Link, bpm: float | None) -> Stretch:
    """File and range of the selected clip. Raises NoReply where there is none to look up.

    Live gives the markers of a clip that is not warped in seconds of the file, those of a warped
    one in beats, and AbletonOSC does not tell how beats map to the file. With `bpm`, the tempo of
    the file, they are converted; without, the question is about the whole file.
    """
    track, scene = live.ask("/live/view/get/selected_clip")[:2]

    def get(name: str) -> ArgValue:
        return live.ask(f"/live/clip/get/{name}", track, scene)[2]

    if not get("is_audio_clip"):
        raise NoReply("the selected clip holds no audio")
    path = str(get("file_path"))
    start, end = float(str(get("start_marker"))), float(str(get("end_marker")))
    if not get("warping"):
        return Stretch(path, start, end)
    if bpm is None:
        return Stretch(path, 0.0, 0.0)
    return Stretch(path, max(0.0, start * 60 / bpm), end * 60 / bpm)


def look_up(
    mess: Link, stretch: Stretch, k: int, secret: str, keys: Sequence[ArgValue] = ()
) -> list[LiveMatch]:
    """The matches, best first. Raises NoReply, within a second where nobody is there.

    keys: pairs of docs/osc.md.
    """
    auth: list[ArgValue] = ["auth", secret] if secret else []
    mess.send("/mess/client/port", 0)
    mess.ask("/mess/ping", answer_at="/mess/pong", timeout_s=1.0)
    options = ["k", k, *keys, *auth]
    mess.send("/mess/lookup/file", "live", stretch.path, stretch.start_s, stretch.end_s, *options)
    found: list[LiveMatch] = []
    deadline_s = time.monotonic() + 60.0
    while True:
        answer = mess.receive(deadline_s - time.monotonic())
        if answer.address == "/mess/error":
            raise NoReply(f"MESS says: {answer.params[3]}")
        if answer.address == "/mess/lookup/match":
            found.append(LiveMatch(*answer.params[1:2], *answer.params[3:]))
        if answer.address == "/mess/lookup/done":
            return found


def excerpts(mess: Link, found: Sequence[LiveMatch], folder: Path, secret: str) -> list[str]:
    """Copy the stretches as WAV files into a folder that Live shows; a line for each problem."""
    auth: list[ArgValue] = ["auth", secret] if secret else []
    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    for one in found:
        mess.send("/mess/excerpt", "live", one.ref, one.start_s, one.end_s, *auth)
        while (answer := mess.receive(30.0)).address not in ("/mess/excerpt/ready", "/mess/error"):
            pass
        if answer.address == "/mess/error":
            problems.append(f"{one.name}: {answer.params[3]}")
            continue
        made = Path(str(answer.params[1]))
        shutil.copyfile(made, folder / f"{one.rank:02d} {one.score:.2f} {made.name}")
    return problems


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{seconds % 60:04.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask whenever Enter is pressed; with --once, once."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bpm", type=float, help="tempo of the file, for warped clips")
    parser.add_argument("--k", type=int, default=10, help="how many matches")
    parser.add_argument("--tempo", help="of the answers, such as 90-110, or same")
    parser.add_argument("--key", help="of the answers, such as Am, or same")
    parser.add_argument("--only", help="what counts, such as rhythm or harmony,timbre")
    parser.add_argument(
        "--excerpts",
        type=Path,
        metavar="FOLDER",
        help="put the matched stretches there as WAV files; add it to Live's places and drag them",
    )
    parser.add_argument("--secret", default="", help="what MESS_OSC_SECRET says, if it is set")
    parser.add_argument("--once", action="store_true", help="ask once and end")
    parser.add_argument("--live-port", type=int, default=LIVE_PORT)
    parser.add_argument("--live-reply-port", type=int, default=LIVE_REPLY_PORT)
    parser.add_argument("--mess-port", type=int, default=MESS_PORT)
    given = parser.parse_args(arguments)
    live = Link("AbletonOSC", given.live_port, given.live_reply_port)
    while given.once or _enter_was_pressed():
        try:
            stretch = selected_stretch(live, given.bpm)
            print(_about(stretch))
            mess = Link("mess osc", given.mess_port)
            found = look_up(mess, stretch, given.k, given.secret, _keys(given))
            print("\n".join(one.line for one in found) or "nothing in the library feels like this")
            if given.excerpts and found:
                problems = excerpts(mess, found, given.excerpts, given.secret)
                print("\n".join([*problems, f"excerpts to drag: {given.excerpts}"]))
        except NoReply as error:
            print(error, file=sys.stderr)
            if given.once:
                return 1
        if given.once:
            return 0
    return 0


def _keys(given: argparse.Namespace) -> list[ArgValue]:
    """The filters that were asked for, as pairs."""
    pairs = [(name, getattr(given, name)) for name in ("tempo", "key", "only")]
    return [part for name, value in pairs if value for part in (name, value)]


def _about(stretch: Stretch) -> str:
    if stretch.end_s <= stretch.start_s:
        return f"feels like {stretch.path} (all of it):"
    return f"feels like {stretch.path}, {clock(stretch.start_s)}-{clock(stretch.end_s)}:"


def _enter_was_pressed() -> bool:
    print("Enter: look up the selected clip; Ctrl-D: end")
    return bool(sys.stdin.readline())


if __name__ == "__main__":
    sys.exit(main())
