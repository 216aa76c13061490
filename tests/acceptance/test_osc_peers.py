"""From an empty library to rows in the host: the real server, asked by real programs.

liblo's tools, Pure Data, SuperCollider and Lua come from the operating system; where one is not
installed its test is skipped. REAPER and Live cannot run here: the script runs against a stub of
the API that it uses, the bridge against a stand-in that answers as AbletonOSC does.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg

from tests.osc_peer import SAMPLES, Client, rows
from tests.osc_server import OscServer, serving_samples
from tests.programs import left_out, program

ROOT = SAMPLES.parent
CLIENTS = ROOT / "integrations" / "mess_integrations" / "osc" / "clients"
STUB = Path(__file__).parent.parent / "reaper_stub.lua"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OscServer]:
    yield from serving_samples(tmp_path_factory.mktemp("acceptance"))


@pytest.fixture
def seed(served: OscServer) -> Path:
    return sorted((served.music / "angelic-asylum").iterdir())[0]


def _run(command: list[str], timeout_s: float = 60, **more: object) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, **more  # type: ignore[call-overload]
    )  # fmt: skip
    return str(done.stdout + done.stderr)


def test_python_osc(served: OscServer, seed: Path) -> None:
    client = Client(("127.0.0.1", served.port))
    found = rows(client.ask("/mess/lookup/file", "a", str(seed), 5.0, 15.0, "k", 5))
    client.close()
    assert [row[1] for row in found] == [1, 2, 3, 4, 5]
    assert all(Path(str(row[9])).is_file() for row in found)
    assert str(seed) not in {row[9] for row in found}


def test_oscsend_and_oscdump(served: OscServer, seed: Path) -> None:
    oscsend, oscdump = program("oscsend", "liblo-tools"), program("oscdump", "liblo-tools")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    dump = subprocess.Popen([oscdump, "-L", port], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        request = [
            "/mess/lookup/file",
            "ssffsisi",
            "x",
            str(seed),
            "5",
            "15",
            "k",
            "3",
            "port",
            port,
        ]
        _run([oscsend, "127.0.0.1", str(served.port), *request])
        lines = _lines_until(dump, "/mess/lookup/done")
    finally:
        dump.kill()
        dump.wait()
    matches = [line for line in lines if "/mess/lookup/match siifffssss" in line]
    assert len(matches) == 3, lines
    assert all(str(served.music) in line for line in matches)


def test_oscsend_over_tcp(served: OscServer, seed: Path) -> None:
    oscsend = program("oscsend", "liblo-tools")
    client = Client(("127.0.0.1", served.port))
    client.send("/mess/subscribe", 1)
    client.until("/mess/subscribed")
    # It closes without reading: the server must not mind.
    for _ in range(3):
        text = _run([oscsend, f"osc.tcp://127.0.0.1:{served.port}", "/mess/lookup/file", "ssff",
                     "x", str(seed), "5", "15"])  # fmt: skip
        assert text == ""
    client.send("/mess/ping")
    assert client.until("/mess/pong")
    client.close()


def _lines_until(process: subprocess.Popen[str], last: str, timeout_s: float = 30) -> list[str]:
    """The output up to a line with some text."""
    found: list[str] = []
    timer = threading.Timer(timeout_s, process.kill)
    timer.start()
    assert process.stdout is not None
    for line in process.stdout:
        found.append(line)
        if last in line:
            break
    timer.cancel()
    return found


def _pure_data(messages: str, until: str) -> list[str]:
    """What the patch prints after some messages, up to the first line that begins with `until`."""
    pd = program("pd", "puredata-core")
    patch = str(CLIENTS / "puredata" / "mess-lookup.pd")
    process = subprocess.Popen(
        [pd, "-nogui", "-noaudio", "-nomidi", "-stderr", "-send", messages, patch],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        return _lines_until(process, until)
    finally:
        process.kill()
        process.wait()


def test_pure_data(served: OscServer, seed: Path) -> None:
    escaped = str(seed).replace(" ", "\\ ")
    messages = (
        f"mess-connect disconnect; mess-connect connect 127.0.0.1 {served.port}; "
        f"mess-path symbol {escaped}; mess-start 5; mess-end 15; mess-bang bang"
    )
    lines = _pure_data(messages, "mess-done:")
    matches = [line for line in lines if line.startswith("mess-match:")]
    assert len(matches) >= 5, lines
    assert [int(line.split()[2]) for line in matches] == list(range(1, len(matches) + 1))
    assert not [line for line in lines if "error" in line], lines


def test_pure_data_says_within_a_second_that_nobody_answers(seed: Path) -> None:
    messages = (
        f"mess-connect disconnect; mess-connect connect 127.0.0.1 {_free_port()}; "
        "mess-path symbol /x.wav; mess-bang bang"
    )
    lines = _pure_data(messages, "mess-error:")
    assert "does\\ not\\ answer" in lines[-1], lines


def _free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _sclang(script: Path, text: str) -> str:
    sclang = program("sclang", "supercollider-language")
    script.write_text(f'"{CLIENTS / "supercollider" / "mess.scd"}".load;\n{text}')
    quiet = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1"}
    return _run([sclang, str(script)], 90, env={**os.environ, **quiet})


def test_supercollider(served: OscServer, seed: Path, tmp_path: Path) -> None:
    text = _sclang(
        tmp_path / "ask.scd",
        f"~mess.address.port_({served.port});\n"
        f'~mess.lookup("{seed}", 5, 15, 3, {{ |rows| '
        'rows.do { |row| ("ROW " ++ ~mess.line(row) ++ " " ++ row[\\path]).postln }; 0.exit }, '
        '{ |code, text| ("ERROR " ++ code ++ text).postln; 0.exit });\n',
    )
    found = [line for line in text.splitlines() if line.startswith("ROW")]
    assert [line.split()[1] for line in found] == ["1", "2", "3"], text
    assert all(str(served.music) in line for line in found)


def _documented(page: str, language: str) -> list[str]:
    """The lines of code of a page's examples, without their comments."""
    blocks = re.findall(
        rf"```{language}\n(.*?)```", (ROOT / "docs" / "osc" / page).read_text(), re.S
    )
    lines = [line.partition("//")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_every_documented_line_of_supercollider_works(
    served: OscServer, seed: Path, tmp_path: Path
) -> None:
    lines = _documented("supercollider.md", "supercollider")
    assert len(lines) >= 5
    assert any(".hear(" in line for line in lines)
    # Each once the one before was answered; a stretch is "heard" without a server of sound.
    steps = "\n".join(
        f'AppClock.sched({2 + 6 * at}, {{ "STEP {at}".postln; {line} nil }});'
        for at, line in enumerate(lines)
    ).replace("/music/a.flac", str(seed))
    last = (
        '("HEARD " ++ ~mess[\\playing].isKindOf(Event)).postln; '
        '("LISTED " ++ ~mess[\\views][\\list].isKindOf(ListView)).postln; 0.exit'
    )
    text = _sclang(
        tmp_path / "lines.scd",
        f"~mess.address.port_({served.port});\n{steps}\n"
        f"AppClock.sched({4 + 6 * len(lines)}, {{ {last} }});\n",
    )
    assert f"STEP {len(lines) - 1}" in text, text
    assert "ERROR" not in text, text
    assert "HEARD true" in text, text
    assert "LISTED true" in text, text
    assert len(re.findall(r"^\d+  \d+%", text, re.MULTILINE)) >= 10, text


def test_supercollider_says_within_a_second_that_nobody_answers(tmp_path: Path) -> None:
    text = _sclang(
        tmp_path / "ask.scd",
        f"~mess.address.port_({_free_port()});\n"
        '~mess.lookup("/x.wav", 0, 0, 1, nil, { |code, text| ("SAID " ++ text).postln; 0.exit });\n',
    )
    assert re.search(
        r"SAID MESS does not answer at 127\.0\.0\.1:\d+: is `mess osc` running\?", text
    ), text


def test_the_reaper_script(served: OscServer, seed: Path) -> None:
    lua = program("lua5.4", "lua5.4")
    if "no" in _run([lua, "-e", "print(pcall(require, 'socket') and 'yes' or 'no')"]):
        left_out("LuaSocket is not installed (Debian package lua-socket)")
    script = str(CLIENTS / "reaper" / "mess_lookup.lua")
    text = _run([lua, str(STUB), script, str(seed), str(served.port), "click 2", "2"])
    assert f"TITLE\tMESS: feels like {seed.name}" in text
    listed = re.findall(r"^ROW\t(\d)  +\d+%", text, re.MULTILINE)
    path, offset, length, position = re.findall(r"INSERTED\t(.*)\t(.*)\t(.*)\t(.*)", text)[0]
    # The time selection 102 to 108 cuts the item at 100 to 110, whose source starts at 5 s.
    client = Client(("127.0.0.1", served.port))
    expected = rows(client.ask("/mess/lookup/file", "a", str(seed), 7.0, 13.0, "k", 9))
    client.close()
    assert listed == [str(row[1]) for row in expected], text
    assert len(listed) >= 5
    second = expected[1]
    assert path == second[9]
    played, from_s = re.findall(r"PLAYED\t(.*)\t(.*)", text)[0]
    assert played == second[9]
    assert abs(float(from_s) - float(str(second[4]))) < 0.01
    assert "MODE\t0" in text  # a track is selected: it goes there
    assert abs(float(offset) - float(str(second[4]))) < 0.01
    assert 5.9 < float(length) < 6.1
    assert float(position) == 42.0


def test_the_reaper_script_asks_again_with_the_same_tempo_or_key(
    served: OscServer, seed: Path
) -> None:
    lua = program("lua5.4", "lua5.4")
    if "no" in _run([lua, "-e", "print(pcall(require, 'socket') and 'yes' or 'no')"]):
        left_out("LuaSocket is not installed (Debian package lua-socket)")
    script = str(CLIENTS / "reaper" / "mess_lookup.lua")
    text = _run([lua, str(STUB), script, str(seed), str(served.port), "t"])
    assert "ROW\t[x] t same tempo   [ ] k same key" in text
    client = Client(("127.0.0.1", served.port))
    asked = ("/mess/lookup/file", "a", str(seed), 7.0, 13.0, "k", 9, "tempo", "same")
    answers = client.ask(*asked)
    client.close()
    listed = re.findall(r"^ROW\t(\d)  +\d+%", text, re.MULTILINE)
    assert listed == [str(row[1]) for row in rows(answers)], text


def test_the_reaper_script_says_when_nobody_answers(seed: Path) -> None:
    lua = program("lua5.4", "lua5.4")
    if "no" in _run([lua, "-e", "print(pcall(require, 'socket') and 'yes' or 'no')"]):
        left_out("LuaSocket is not installed (Debian package lua-socket)")
    script = str(CLIENTS / "reaper" / "mess_lookup.lua")
    text = _run([lua, str(STUB), script, str(seed), str(_free_port())], 10)
    assert "ROW\tMESS does not answer. Is `mess osc` running?" in text


class AbletonOsc:
    """Answers as AbletonOSC does: at a fixed port, with the indices in front of each value."""

    def __init__(self, clip: dict[str, object]) -> None:
        self._clip = clip
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.reply_port = int(probe.getsockname()[1])
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            message = OscMessage(self._socket.recv(4096))
            if message.address == "/live/view/get/selected_clip":
                values: list[object] = [2, 5]
            else:
                assert list(message.params) == [2, 5]
                values = [2, 5, self._clip[message.address.rpartition("/")[2]]]
            packet = build_msg(message.address, values).dgram
            self._socket.sendto(packet, ("127.0.0.1", self.reply_port))


def _ask_live(served: OscServer, clip: dict[str, object], *options: str) -> str:
    live = AbletonOsc(clip)
    return _run(
        [sys.executable, str(CLIENTS / "live" / "mess_live.py"), "--once", "--k", "3",
         "--live-port", str(live.port), "--live-reply-port", str(live.reply_port),
         "--mess-port", str(served.port), *options]
    )  # fmt: skip


def test_the_live_bridge(served: OscServer, seed: Path) -> None:
    clip = {"is_audio_clip": True, "file_path": str(seed), "warping": False,
            "start_marker": 5.0, "end_marker": 15.0}  # fmt: skip
    text = _ask_live(served, clip)
    assert f"feels like {seed}, 0:05.0-0:15.0:" in text
    assert re.findall(r"^ ([123])  +\d+%", text, re.MULTILINE) == ["1", "2", "3"], text
    warped = {**clip, "warping": True, "start_marker": 8.0, "end_marker": 16.0}
    assert "(all of it)" in _ask_live(served, warped)
    assert "0:04.0-0:08.0" in _ask_live(served, warped, "--bpm", "120")
    assert "holds no audio" in _ask_live(served, {**clip, "is_audio_clip": False})
    assert "MESS says" in _ask_live(served, {**clip, "file_path": "/etc/passwd"})


def test_the_live_bridge_filters_and_puts_excerpts_into_a_folder(
    served: OscServer, seed: Path, tmp_path: Path
) -> None:
    clip = {"is_audio_clip": True, "file_path": str(seed), "warping": False,
            "start_marker": 5.0, "end_marker": 15.0}  # fmt: skip
    folder = tmp_path / "from MESS"
    text = _ask_live(served, clip, "--excerpts", str(folder), "--only", "rhythm")
    assert f"excerpts to drag: {folder}" in text
    names = sorted(path.name for path in folder.iterdir())
    assert [name[:2] for name in names] == ["01", "02", "03"], text
    for path in folder.iterdir():
        assert path.read_bytes()[:4] == b"RIFF"
    refused = _ask_live(served, clip, "--tempo", "fast")
    assert "MESS says" in refused
    assert "fast" in refused


def test_the_live_bridge_says_when_mess_is_not_there(seed: Path) -> None:
    clip = {"is_audio_clip": True, "file_path": str(seed), "warping": False,
            "start_marker": 5.0, "end_marker": 15.0}  # fmt: skip
    live = AbletonOsc(clip)
    text = _run(
        [sys.executable, str(CLIENTS / "live" / "mess_live.py"), "--once",
         "--live-port", str(live.port), "--live-reply-port", str(live.reply_port),
         "--mess-port", str(_free_port())], 15,
    )  # fmt: skip
    assert "mess osc does not answer: is it running?" in text


def test_the_clients_come_with_the_package(tmp_path: Path) -> None:
    command = "from mess_plugin.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "osc", "clients", "--to", str(tmp_path / "clients")],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "MESS_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = {
        str(Path(line).relative_to(tmp_path / "clients"))
        for line in done.stdout.split("\n")
        if line
    }
    assert {"reaper/mess_lookup.lua", "live/mess_live.py", "supercollider/mess.scd",
            "puredata/mess.pd", "puredata/mess-lookup.pd"} <= written  # fmt: skip
    for name in written:
        assert (tmp_path / "clients" / name).read_bytes() == (CLIENTS / name).read_bytes()


def test_the_live_bridge_says_when_live_is_not_there(served: OscServer) -> None:
    text = _run(
        [sys.executable, str(CLIENTS / "live" / "mess_live.py"), "--once", "--live-port", "9",
         "--live-reply-port", "0", "--mess-port", str(served.port)]
    )  # fmt: skip
    assert "AbletonOSC does not answer" in text
