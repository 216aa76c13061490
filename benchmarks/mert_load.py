"""What it takes to have a MERT ready: time and memory of loading it from its file.

    OMP_NUM_THREADS=1 python -m benchmarks.mert_load [--model mert-330m] [--folder DIR]

The file has the released names and shapes and random values. It is written to DIR, unless it is there,
and then loaded and checked by a process of its own, as a worker loads it; a window of 5 s follows.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.encoders.mert import encoder
from mess_plugin.encoders.mert.releases import RELEASES, WINDOW_S, Release
from tests.mert_checkpoint import fitted, music, write_checkpoint

NAMES = [release.name for release in RELEASES]


def unpinned(name: str) -> Release:
    """A release whose checksum may be any."""
    release = next(one for one in RELEASES if one.name == name)
    return fitted(release, release.architecture)


def load(release: Release, folder: Path) -> None:
    """Load and encode once; print what that took."""
    began_s, cpu_s = time.perf_counter(), time.process_time()
    loaded = encoder.load(release, EncoderOptions(weights=folder))
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    loaded.encode(music(WINDOW_S))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"{release.name}: ready after {cpu_s:.1f} CPU s ({wall_s:.1f} s by the clock), "
        f"{peak_mb:.0f} MB at most, libraries and one window included"
    )


@click.command()
@click.option("--model", type=click.Choice(NAMES), default=NAMES[-1], show_default=True)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--only-load", is_flag=True, hidden=True)
def main(model: str, folder: Path | None, only_load: bool) -> None:
    """Write the file, then load it in a fresh process."""
    release = unpinned(model)
    with tempfile.TemporaryDirectory(prefix="mess-mert-") as place:
        folder = folder or Path(place)
        if only_load:
            load(release, folder)
            return
        if not (folder / "pytorch_model.bin").exists():
            write_checkpoint(folder, release)
        again = ["--model", model, "--folder", str(folder), "--only-load"]
        subprocess.run([sys.executable, "-m", "benchmarks.mert_load", *again], check=True)


if __name__ == "__main__":
    main()
