"""From an empty library to an answer: `mess up`, `beet import`, `beet similar`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.beets_host import SAMPLES, Beets, environment

ALBUMS = ("noiz2sa", "widelands")  # three tracks of one artist each


def mess(beets: Beets, *args: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "mess_plugin", *args],
        env=environment(MESS_HOME=str(beets.home), MESS_JOBS="1"),
        check=True,
        capture_output=True,
    )


def test_an_import_is_heard_and_answered(tmp_path: Path, eventually: Callable[..., None]) -> None:
    beets = Beets(tmp_path / "beets", tmp_path / "mess").configure()
    mess(beets, "up")
    try:
        beets.run("import", *(str(SAMPLES / name) for name in ALBUMS))

        def all_heard() -> bool:
            time.sleep(2)  # asking costs more than waiting
            return beets.lines("mess", "status")[0].startswith("6 of 6 tracks indexed")

        eventually(all_heard, timeout_s=200)
        for artist, title in (("Kenta Cho", "Stage 0"), ("Stuart Marshall", "Hypatia")):
            answers = beets.lines("similar", "-f", "$artist", f"title:{title}")
            assert len(answers) == 5
            assert answers[0] == artist
    finally:
        mess(beets, "down")
    # Stopping MESS breaks nothing: beets lists and changes its library as before.
    assert len(beets.lines("ls")) == 6
    assert "mess:" not in beets.run("modify", "-y", "title:Stage 0", "mood=x").stderr
