"""A folder of hostile files: each one an AudioError of the right kind, or decoded; never a hang."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import threading
import wave
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from mess_plugin.audio import AUDIO_SUFFIXES, decode, identify, is_audio, probe
from mess_plugin.errors import AudioError
from mess_plugin.library.tags import read_tags
from tests.audio_files import CODECS, tone, write_audio

RATE_HZ = 24_000
JARGON = ("av_", "avcodec", "Errno", "demux", "Invalid data", "Traceback", "codec_")


def kind_of(use: Callable[[], object]) -> str | None:
    """The kind of AudioError that this ends in, None if it ends well."""
    try:
        use()
    except AudioError as error:
        return error.kind
    return None


def refusal(path: Path) -> AudioError:
    """What decoding the file raises; identify and read_tags must bear the file as well."""
    with pytest.raises(AudioError) as caught:
        list(decode(path, RATE_HZ, limit_s=30))
    error = caught.value
    assert kind_of(lambda: identify(path, limit_s=30)) in {None, error.kind, "damaged"}
    read_tags(path)
    assert error.reason.endswith(".")
    assert not any(word in error.reason for word in JARGON)
    assert pickle.loads(pickle.dumps(error)).args == error.args
    return error


def test_suffixes_are_lower_case_and_cover_what_is_promised() -> None:
    assert {suffix.lower() for suffix in AUDIO_SUFFIXES} == AUDIO_SUFFIXES
    assert {".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".wav", ".aiff"} <= AUDIO_SUFFIXES
    assert {".mp4", ".m4b", ".aac", ".aif", ".aifc", ".wma", ".wv", ".ape", ".mka", ".ac3"} <= (
        AUDIO_SUFFIXES
    )
    assert is_audio(Path("A.FLAC"))
    assert not is_audio(Path("cover.jpg"))
    assert not is_audio(Path("flac"))


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_empty_and_random_files(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert refusal(path).kind == "empty"
    for seed in range(3):
        path.write_bytes(np.random.default_rng(seed).bytes(200_000))
        assert refusal(path).kind in {"not-audio", "damaged"}


def test_special_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "loop.mp3").symlink_to("loop.mp3")
    (tmp_path / "broken.mp3").symlink_to("nowhere")
    (tmp_path / "folder.mp3").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.mp3"))
        assert refusal(tmp_path / "s.mp3").kind == "unreadable"
    for name, word in (("pipe", "pipe"), ("loop", "link"), ("folder", "folder")):
        error = refusal(tmp_path / f"{name}.mp3")
        assert error.kind == "unreadable"
        assert word in error.reason
    assert refusal(Path("/dev/zero")).kind == "unreadable"
    for missing in ("broken.mp3", "no.mp3", "x" * 300, "a\0b", "folder.mp3/../no/a.mp3"):
        assert refusal(tmp_path / missing).kind == "missing"


def test_a_file_of_someone_else(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", tone(1))
    path.chmod(0)
    code = (
        "import os, sys; from pathlib import Path; from mess_plugin.audio import probe\n"
        "from mess_plugin.errors import AudioError\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setuid(65534)\n"
        "try: probe(Path(sys.argv[1]))\n"
        "except AudioError as error: print(error.kind, error.reason)\n"
    )
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    out = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert out.stdout.startswith("unreadable")


@pytest.mark.parametrize(
    "name",
    [
        b"new\nline.flac", b"%d %03d.flac", b"http:x.flac", b"concat:a|b.flac", b"pipe:0.flac",
        b"-i.flac", b"\xff\xfe bad utf-8.flac", b"a" * 250 + b".flac", "ノイズ.flac".encode(),
    ],
)  # fmt: skip
def test_odd_names_open(name: bytes, tmp_path: Path) -> None:
    plain = write_audio(tmp_path / "plain.flac", tone(1))
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))  # noqa: PTH118
    path.write_bytes(plain.read_bytes())
    assert sum(map(len, decode(path, RATE_HZ))) == RATE_HZ
    assert identify(path) == identify(plain)
    assert read_tags(path) == read_tags(plain)


@pytest.mark.parametrize("ending", [".flac", ".ogg", ".m4a", ".wav", ".wma", ".mp3"])
@pytest.mark.parametrize("lie", [".mp3", ".flac", ".wav", ".m4a"])
def test_a_wrong_extension_is_no_obstacle(ending: str, lie: str, tmp_path: Path) -> None:
    path = write_audio(tmp_path / f"a{ending}", tone(2)).rename(tmp_path / f"lie{lie}")
    assert sum(map(len, decode(path, RATE_HZ))) == pytest.approx(2 * RATE_HZ, rel=0.05)


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".flac", ".m4a", ".ogg"])
def test_sparse_files_of_4_gib(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    with path.open("wb") as file:
        file.truncate(4 << 30)
    assert refusal(path).kind == "not-audio"
    write_audio(path, tone(2))
    with path.open("r+b") as file:
        file.truncate(4 << 30)
    # a download that has only begun: what is there may be used, but is not searched for
    assert kind_of(lambda: list(decode(path, RATE_HZ, limit_s=30))) in {None, "damaged"}
    assert kind_of(lambda: identify(path, limit_s=30)) is None


def test_what_is_not_sound(tmp_path: Path) -> None:
    contents = {
        "text.mp3": b"Dear diary, " * 5000,
        "page.mp3": b"<!doctype html><title>404</title>" * 100,
        "image.mp3": _picture(tmp_path),
        "zip.mp3": b"PK\x03\x04" + bytes(5000),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert refusal(path).kind == "not-audio"


def _picture(folder: Path) -> bytes:
    path = folder / "a.png"
    with av.open(str(path), "w", format="image2") as out:
        stream = out.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), dtype=np.uint8))
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return path.read_bytes()


def test_video_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), dtype=np.uint8))
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    error = refusal(path)
    assert error.kind == "not-audio"
    assert "no sound" in error.reason


@pytest.mark.parametrize("sample_entry", [b"drms", b"enca", b"aavd"])
def test_protected_mp4(sample_entry: bytes, tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.m4a", tone(2))
    path.write_bytes(path.read_bytes().replace(b"mp4a", sample_entry))
    error = refusal(path)
    assert error.kind == "protected"
    assert "copy-protected" in error.reason


def test_protected_wma(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wma", tone(2))
    data = bytearray(path.read_bytes())
    encryption = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + (40).to_bytes(8, "little")
    encryption += bytes(16)
    size = int.from_bytes(data[16:24], "little") + len(encryption)
    objects = int.from_bytes(data[24:28], "little") + 1
    data[16:24] = size.to_bytes(8, "little")
    data[24:28] = objects.to_bytes(4, "little")
    data[30:30] = encryption
    path.write_bytes(data)
    assert refusal(path).kind == "protected"


def test_playlists_reach_neither_network_nor_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where FFmpeg would look for a relative name
    requests: list[str] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

    write_audio(tmp_path / "secret.wav", tone(2))
    server = HTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/a.wav"
        for target in (url, f"{tmp_path}/secret.wav", "secret.wav"):
            lists = (
                f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
                f"ffconcat version 1.0\nfile '{target}'\n",
                f"[playlist]\nFile1={target}\nNumberOfEntries=1\n",
                f'<?xml version="1.0"?><MPD><BaseURL>{target}</BaseURL></MPD>',
            )
            for index, text in enumerate(lists):
                path = tmp_path / f"list{index}.mp3"
                path.write_text(text)
                assert refusal(path).kind == "not-audio"
    finally:
        server.shutdown()
        server.server_close()
    assert requests == []


def test_a_header_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
    error = refusal(path)
    assert error.kind == "empty"
    assert "no sound" in error.reason


def test_tags_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x10" + bytes(16))
    error = refusal(path)
    assert error.kind == "damaged"
    assert "tags" in error.reason


@pytest.mark.parametrize("ending", CODECS)
def test_damage_never_escapes_as_another_error(ending: str, tmp_path: Path) -> None:
    rate_hz = 48_000 if CODECS[ending][1] == "libopus" else 44_100
    path = write_audio(tmp_path / f"a{ending}", tone(6, rate_hz), rate_hz)
    intact = path.read_bytes()
    generator = np.random.default_rng(7)
    for damage in (_cut, _flip, _flip_header, _zero):
        for _ in range(5):
            path.write_bytes(damage(intact, generator))
            for use in (
                lambda: sum(len(block) for block in decode(path, RATE_HZ, limit_s=30)),
                lambda: identify(path, limit_s=30),
                lambda: probe(path),
            ):
                kinds = {None, "damaged", "not-audio", "empty", "protected"}
                assert kind_of(use) in kinds
            read_tags(path)


def _cut(data: bytes, generator: np.random.Generator) -> bytes:
    return data[: generator.integers(1, len(data))]


def _flip(data: bytes, generator: np.random.Generator, within: int | None = None) -> bytes:
    changed = bytearray(data)
    for at in generator.integers(0, min(within or len(data), len(data)), 20):
        changed[at] ^= int(generator.integers(1, 256))
    return bytes(changed)


def _flip_header(data: bytes, generator: np.random.Generator) -> bytes:
    return _flip(data, generator, within=600)


def _zero(data: bytes, generator: np.random.Generator) -> bytes:
    start = int(generator.integers(0, len(data)))
    return data[:start] + bytes(len(data) // 4) + data[start + len(data) // 4 :]


def test_nothing_reaches_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_audio(tmp_path / "a.mp3", tone(4))
    data = path.read_bytes()
    path.write_bytes(data[:20_000] + bytes(8000) + data[28_000:])
    uses: tuple[Callable[[], object], ...] = (
        lambda: list(decode(path, RATE_HZ)),
        lambda: identify(path),
    )
    for use in uses:
        use()
    with pytest.raises(AudioError):
        list(decode(path, RATE_HZ, limit_s=0.0))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
