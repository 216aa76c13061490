"""Real beets with a real library of its own, run as a user runs it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SAMPLES = CHECKOUT / "samples"


@dataclass(frozen=True)
class Beets:
    """A beets folder (configuration, database, music) and the MESS home that its plugin uses."""

    folder: Path
    home: Path
    database_url: str | None = None

    @property
    def music(self) -> Path:
        return self.folder / "music"

    def configure(self, plugins: str = "mess", **sections: object) -> Beets:
        """Write config.yaml (JSON is YAML)."""
        self.music.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(parents=True, exist_ok=True)
        mess = {"home": str(self.home), "database_url": self.database_url}
        config: dict[str, object] = {
            "directory": str(self.music),
            "library": str(self.folder / "library.db"),
            "plugins": plugins,
            "import": {"copy": True, "autotag": False},
            "ui": {"color": False},
            "mess": mess | dict(sections.pop("mess", {})),  # type: ignore[call-overload]
            **sections,
        }
        (self.folder / "config.yaml").write_text(json.dumps(config))
        return self

    def run(self, *args: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `beet`; the exit code must be the expected one."""
        done = subprocess.run(
            [sys.executable, "-m", "beets", *args],
            env=environment(BEETSDIR=str(self.folder), MESS_JOBS="1", **variables),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def lines(self, *args: str) -> list[str]:
        """What `beet` prints."""
        return self.run(*args).stdout.splitlines()

    def checksum(self) -> str:
        """Of the library's file."""
        return hashlib.sha256((self.folder / "library.db").read_bytes()).hexdigest()

    def paths(self) -> list[str]:
        """Absolute paths of all items, in order; beets stores those below its folder relatively."""
        with closing(sqlite3.connect(self.folder / "library.db")) as connection:
            rows = connection.execute("SELECT path FROM items ORDER BY id").fetchall()
        return [str(self.music / os.fsdecode(path)) for (path,) in rows]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment, free of MESS's own settings, with this checkout in front."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MESS_")}
    places = [str(CHECKOUT / place) for place in ("", "workers", "integrations")]
    modules = os.pathsep.join([*places, kept.get("PYTHONPATH", "")])
    return {**kept, "PYTHONPATH": modules, "OMP_NUM_THREADS": "1", **variables}
