"""`mess osc` as a process of its own, for programs that ask it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"


class OscServer:
    """`mess osc` in a process of its own, over a library that was indexed by `mess index`."""

    def __init__(self, home: Path, music: Path) -> None:
        self.music = music
        self._environment = {
            **os.environ,
            "MESS_HOME": str(home),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "workers", "integrations")),
        }  # fmt: skip
        command = "from mess_plugin.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", command, "index", str(music), "--jobs", "1"],
            env=self._environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mess_integrations.osc", "--port", "0"],
            env=self._environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"listening at 127\.0\.0\.1:(\d+)", line)
        assert found is not None, line
        self.port = int(found[1])

    def stop(self) -> int:
        """End it as a supervisor does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def serving_samples(base: Path) -> Iterator[OscServer]:
    """A server over a few samples in a folder with a space in its name; it must end well."""
    music = base / "my music"
    for name in ("angelic-asylum", "noiz2sa", "flare"):
        shutil.copytree(SAMPLES / name, music / name)
    one = OscServer(base / "home", music)
    yield one
    assert one.stop() == 0
