"""Ardour itself, without a screen: a session with a region → a lookup → named markers in the session.

Ardour's own `luasession` runs the Lua action that people install, against `mess osc` over an indexed
library. The editor is the one part that needs a screen: its three calls are stood in for.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mess_plugin.audio.decoding import decode
from tests.audio_files import write_audio
from tests.osc_peer import Client, rows
from tests.osc_server import ROOT, OscServer, serving_samples
from tests.programs import program

CLIENTS = ROOT / "integrations" / "mess_integrations" / "osc" / "clients" / "ardour"
RATE_HZ = 48_000
TICKS = 282_240_000  # of Ardour's clock in a second
POSITION_S, START_S, LENGTH_S = 20, 10, 12  # of the region: in the session, in its file, how long
OSC_PORTS = range(3819, 3839)  # Ardour takes the first that is free

SETUP = """
AudioEngine:set_backend ("None (Dummy)", "", "")
AudioEngine:start ()
"""
CREATE = (
    SETUP
    + """
Session = create_session ("%(folder)s", "one", 48000)
Session:new_audio_track (1, 2, nil, 1, "Music", 0xffffffff, ARDOUR.TrackMode.Normal, true)
Session:save_state ("", false, false, false, false)
close_session ()
quit ()
"""
)
ACT = (
    SETUP
    + """
Session = load_session ("%(folder)s", "one")
%(before)s
function ardour (header) assert (header.name and header["type"] == "EditorAction") end
dofile ("%(script)s")
factory ({}) ()
%(after)s
Session:save_state ("", false, false, false, false)
close_session ()
quit ()
"""
)
# The editor's calls that the action makes: a selected region, a range, a dialog, an import.
EDITOR = """
local function region_list ()
  for route in Session:get_routes ():iter () do
    local track = route:to_track ()
    if not track:isnil () then return track:playlist ():region_list () end
  end
end
Editor = {
  get_selection = function (self) return {
    regions = { regionlist = function (self) return region_list () end },
    time = { start_sample = function (self) return 22 * 48000 end,
             end_sample = function (self) return 30 * 48000 end } } end,
  do_import = function (self, files, how, as, ...)
    local at = select (4, ...)
    for file in files:iter () do
      print (table.concat ({ "IMPORT", file, at:samples (), how, as }, "|"))
    end
  end,
}
Editing = { ImportDistinctFiles = "distinct", ImportAsTrack = "track" }
LuaDialog = {
  Dialog = function (title, rows)
    for name, value in pairs (rows[1].values) do print ("CHOICE|" .. value .. "|" .. name) end
    return { run = function (self) return { row = 1 } end }
  end,
}
"""
SEND = """
local mess = ARDOUR.LuaOSC.Address ("osc.udp://127.0.0.1:%(port)d")
mess:send ("/mess/lookup/file", "ssffsisi", "ardour:960000", "%(path)s", 10.0, 22.0,
  "k", 3, "port", %(bridge)d)
sleep (8)
"""


@dataclass
class Daw:
    """A session with one region of a file."""

    folder: Path
    source: Path
    luasession: str

    @property
    def document(self) -> Path:
        return self.folder / "one.ardour"

    def run(self, text: str, **variables: str) -> str:
        script = self.folder.parent / "run.lua"
        script.write_text(text)
        done = subprocess.run(
            [self.luasession, str(script)], capture_output=True, text=True, timeout=180,
            check=False, env={**os.environ, **variables},
        )  # fmt: skip
        assert "Error:" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout + done.stderr

    def act(self, server: OscServer, before: str = "", after: str = "") -> str:
        """Run the action as it is installed."""
        script = CLIENTS / "mess_lookup.lua"
        parts = {"folder": self.folder, "script": script, "before": before, "after": after}
        return self.run(
            ACT % parts, MESS_PYTHON=sys.executable, MESS_ARDOUR=str(CLIENTS / "mess_ardour.py"),
            MESS_OSC_PORT=str(server.port),
        )  # fmt: skip

    def markers(self) -> list[tuple[str, str, float, float]]:
        """(name, kind, start, end in samples) of all in the saved session."""
        found = re.findall(
            r'<Location id="\d+" name="([^"]*)" start="a(\d+)" end="a(\d+)" flags="([^"]*)"',
            self.document.read_text(encoding="utf-8"),
        )
        return [
            (name, flags, int(start) / TICKS * RATE_HZ, int(end) / TICKS * RATE_HZ)
            for name, start, end, flags in found
        ]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OscServer]:
    yield from serving_samples(tmp_path_factory.mktemp("ardour"))


@pytest.fixture
def daw(served: OscServer, tmp_path: Path) -> Daw:
    """A session whose region shows 12 s of a song, from second 10, at second 20."""
    luasession = program("ardour7-lua", "ardour")
    song = next((served.music / "angelic-asylum").glob("*.opus"))
    heard = np.concatenate(list(decode(song, RATE_HZ)))
    source = write_audio(song.parent / "it's ours.wav", heard[None, :], RATE_HZ)
    made = Daw(tmp_path / "session", source, luasession)
    made.run(CREATE % {"folder": made.folder})
    text = made.document.read_text(encoding="utf-8")
    name = str(source).replace("'", "&apos;")
    region = (
        f'<Region name="stretch" muted="0" opaque="1" locked="0" automatic="0" whole-file="0" '
        f'start="a{TICKS * START_S}" length="a{TICKS * LENGTH_S}@a{TICKS * POSITION_S}" '
        f'sync-position="a0" ancestral-start="a0" ancestral-length="a0@a0" layering-index="0" '
        f'id="90002" type="audio" first-edit="nothing" channels="1" source-0="90001" '
        f'master-source-0="90001"/>'
    )
    for old, new in (
        ("<Sources/>", f'<Sources><Source name="{name}" type="audio" flags="" id="90001" '
         f'origin="{name}" channel="0"/></Sources>'),
        ('active="0"/>\n    <Protocol name="PreSonus FaderPort"',
         'active="1"/>\n    <Protocol name="PreSonus FaderPort"'),
    ):  # fmt: skip
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    text, n = re.subn(r'(<Playlist [^>]*name="Music"[^>]*)/>', rf"\1>{region}</Playlist>", text)
    assert n == 1
    text, n = re.subn(r'id-counter="\d+"', 'id-counter="99999"', text)
    assert n == 1
    made.document.write_text(text, encoding="utf-8")
    return made


def asked(server: OscServer, path: Path, start_s: float, end_s: float, k: int) -> list[str]:
    """The names of markers for what MESS itself answers."""
    client = Client(("127.0.0.1", server.port))
    found = rows(client.ask("/mess/lookup/file", "a", str(path), start_s, end_s, "k", k))
    client.close()
    return [f"{row[3]:.2f} {row[8]} {clock(row[4])}-{clock(row[5])}" for row in found]


def clock(seconds: Any) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def test_the_action_marks_what_feels_like_the_region(served: OscServer, daw: Daw) -> None:
    daw.act(served)
    wanted = asked(served, daw.source, START_S, START_S + LENGTH_S, 9)
    assert len(wanted) > 1
    found = daw.markers()
    assert [name for name, *_ in found] == [f"MESS {name}" for name in wanted]
    place = ("IsRangeMarker", POSITION_S * RATE_HZ, (POSITION_S + LENGTH_S) * RATE_HZ)
    assert {tuple(rest) for _, *rest in found} == {place}
    daw.act(served)  # again: the old markers are replaced
    assert daw.markers() == found


def test_the_range_narrows_the_question_and_a_match_comes_on_a_track(
    served: OscServer, daw: Daw
) -> None:
    said = daw.act(served, before=EDITOR)
    wanted = asked(served, daw.source, START_S + 2, START_S + 10, 9)
    found = daw.markers()
    assert [name for name, *_ in found] == [f"MESS {name}" for name in wanted]
    assert {(start, end) for *_, start, end in found} == {(22 * RATE_HZ, 30 * RATE_HZ)}
    choices = re.findall(r"CHOICE\|(\d+)\|(.*)", said)
    assert sorted(name for number, name in choices if number != "0") == sorted(
        f"{rank}  {name}" for rank, name in enumerate(wanted, start=1)
    )
    (imported,) = re.findall(r"IMPORT\|(.*)\|(-?\d+)\|distinct\|track", said)
    assert Path(imported[0]).is_relative_to(served.music)
    assert Path(imported[0]) != daw.source
    assert 0 <= int(imported[1]) <= 22 * RATE_HZ


def test_the_action_says_what_is_wrong(served: OscServer, daw: Daw) -> None:
    nobody = type("Nobody", (), {"port": 9})()
    assert "MESS: MESS does not answer: is `mess osc` running?" in daw.act(nobody)
    assert daw.markers() == []
    said = daw.act(served, before="Editor = { get_selection = function (self) return { regions = {\n"
        "regionlist = function (self) return ARDOUR.RegionList () end } } end }")  # fmt: skip
    assert "MESS: select an audio region first" in said


def test_the_bridge_marks_through_the_osc_surface(served: OscServer, daw: Daw) -> None:
    """Lua sends the question to `mess osc`, which answers the bridge, which tells Ardour."""
    taken = [port for port in OSC_PORTS if not is_free(port)]
    ardour_port = next(port for port in OSC_PORTS if port not in taken)
    bridge = subprocess.Popen(
        [sys.executable, str(CLIENTS / "mess_ardour.py"), "bridge", "--bridge-port", "0",
         "--ardour-port", str(ardour_port)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert bridge.stderr is not None
        port = int(bridge.stderr.readline().rsplit(maxsplit=1)[1])
        send = SEND % {"port": served.port, "path": daw.source, "bridge": port}
        daw.run(
            SETUP
            + f'Session = load_session ("{daw.folder}", "one")\nsleep (1)\n{send}'
            + 'Session:save_state ("", false, false, false, false)\nclose_session ()\nquit ()\n'
        )
    finally:
        bridge.terminate()
        bridge.wait(20)
    wanted = asked(served, daw.source, START_S, START_S + LENGTH_S, 3)
    marks = [(name, start) for name, flags, start, _ in daw.markers() if flags == "IsMark"]
    assert marks == [(name, 20.0 * RATE_HZ) for name in wanted]


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
