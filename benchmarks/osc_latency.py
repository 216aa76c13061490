"""How long a DAW waits: from a request over UDP to the first match, measured at the client.

    python benchmarks/osc_latency.py --music samples --repeats 30

Indexes a folder into a home of its own, starts `mess osc`, and asks it, one request after another,
about a 10 s stretch of an indexed track (bar: 300 ms) and of a file that is not indexed (bar:
1.5 s; a new stretch each time, so nothing is known of it). Prints the median, the 95th percentile
and the worst, and exits with 1 where the worst misses its bar. Put load beside it (for example
`mess index` of another folder) to see what is left under indexing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import ArgValue, build_msg

from mess_plugin import audio

BARS_S = {"indexed track, 10 s": 0.3, "unindexed file, 10 s": 1.5}
_MESS = "from mess_plugin.cli.main import main; main()"


def ask(link: socket.socket, *arguments: ArgValue) -> float:
    """Seconds until the first match; waits for the last."""
    started = time.perf_counter()
    link.send(build_msg("/mess/lookup/file", arguments).dgram)
    first_s = 0.0
    while True:
        answer = OscMessage(link.recv(65536))
        if answer.address == "/mess/error":
            raise SystemExit(f"the server says: {answer.params}")
        if answer.address == "/mess/lookup/match" and not first_s:
            first_s = time.perf_counter() - started
        if answer.address == "/mess/lookup/done":
            return first_s


def write_long_file(path: Path, files: list[Path]) -> float:
    """All the music after each other, slightly noisy, as a 16-bit WAV; its length in seconds."""
    rng = np.random.default_rng(0)
    n_samples = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44100, layout="mono")
        for file in files:
            for block in audio.decode(file, 44100):
                noisy = np.clip(block + rng.normal(0, 1e-3, len(block)), -1, 1)
                frame = av.AudioFrame.from_ndarray(
                    (noisy * 32767).astype(np.int16)[None], format="s16", layout="mono"
                )
                frame.sample_rate = 44100
                container.mux(stream.encode(frame))
                n_samples += len(block)
        container.mux(stream.encode(None))
    return n_samples / 44100


def measure(
    link: socket.socket, files: list[Path], long: Path, repeats: int
) -> dict[str, list[float]]:
    """Seconds by kind of request."""
    length_s = write_long_file(long, files)
    starts_s = np.random.default_rng(1).uniform(0, length_s - 10, repeats)
    kinds: dict[str, Callable[[int], tuple[str, float]]] = {
        "indexed track, 10 s": lambda i: (str(files[i % len(files)]), 5.0),
        "unindexed file, 10 s": lambda i: (str(long), float(starts_s[i])),
    }
    found: dict[str, list[float]] = {}
    for kind, request in kinds.items():
        ask(link, "warm", str(request(0)[0]), 0.0, 10.0)
        found[kind] = []
        for number in range(repeats):
            path, start_s = request(number)
            found[kind].append(ask(link, str(number), path, start_s, start_s + 10.0))
            time.sleep(0.1)  # as a person would, and within the allowance
    return found


def report(found: dict[str, list[float]]) -> bool:
    """Print a table; whether every bar was met."""
    print(f"{'first match':24}{'median':>9}{'95 %':>9}{'worst':>9}{'bar':>9}   (ms)")
    for kind, seconds in found.items():
        points = [np.median(seconds), np.percentile(seconds, 95), max(seconds), BARS_S[kind]]
        print(f"{kind:24}" + "".join(f"{1000 * point:9.0f}" for point in points))
    return all(max(seconds) <= BARS_S[kind] for kind, seconds in found.items())


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--music", type=Path, required=True, help="a folder to index")
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mess-osc-"))
    environment = {**os.environ, "MESS_HOME": str(folder / "home"), "MESS_ROOTS": str(folder)}
    mess = [sys.executable, "-c", _MESS]
    subprocess.run([*mess, "index", str(given.music.resolve())], env=environment, check=True)
    files = sorted(path for path in given.music.resolve().rglob("*") if audio.is_audio(path))
    server = subprocess.Popen(
        [sys.executable, "-m", "mess_integrations.osc", "--port", "7797"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        print(server.stderr.readline().strip())
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.settimeout(60)
        link.connect(("127.0.0.1", 7797))
        met = report(measure(link, files, folder / "long.wav", given.repeats))
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
