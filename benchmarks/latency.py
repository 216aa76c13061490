"""From the last write of a new file until a question about it is answered.

    PYTHONPATH=.:workers:integrations python benchmarks/latency.py --files 5 --minutes 4

Starts what `mess up` starts in a home of its own, writes new recordings into the watched folder one
after another, and asks the database for each until it is there.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from mess_plugin.store import Store, open_store
from tests.audio_files import music, write_audio
from tests.chaos import House, house


@click.command()
@click.option("--files", default=5, show_default=True)
@click.option("--minutes", default=4.0, show_default=True, help="Length of each recording.")
@click.option("--settle-s", default=1.0, show_default=True, help="The setting settle_s.")
def main(files: int, minutes: float, settle_s: float) -> None:
    """Measure and print each latency and the median."""
    with tempfile.TemporaryDirectory(prefix="mess-latency-") as place:
        root = Path(place)
        watched = root / "music"
        watched.mkdir()
        drafts = [_recording(root, seed, minutes) for seed in range(files + 1)]
        with (
            house(root / "home", watched, settle_s=settle_s) as home,
            open_store(home.database_url) as store,
        ):
            _measure(home, store, drafts[0])  # the first one waits for programs and the encoder
            latencies_s = [_measure(home, store, draft) for draft in drafts[1:]]
            told = store.dispatch.pace().median_s
    for latency_s in latencies_s:
        click.echo(f"{latency_s:.2f} s")
    click.echo(
        f"median {statistics.median(latencies_s):.2f} s of {files} files of {minutes:g} min; "
        f"the service's own metric says {told:.2f} s"
    )


def _recording(root: Path, seed: int, minutes: float) -> Path:
    wave = np.tile(music(15.0 * minutes, 44100, channels=2, seed=seed), (1, 4))
    return write_audio(root / f"{seed}.mp3", wave, 44100, bit_rate=192_000)


def _measure(home: House, store: Store, draft: Path) -> float:
    new = home.music / draft.name
    shutil.copyfile(draft, new)
    began_s = time.monotonic()
    while (found := store.library.find_path(str(new))) is None or found[0] is None:
        time.sleep(0.02)
        if time.monotonic() - began_s > 300:
            raise click.ClickException(f"{new} was not indexed within 300 s")
    return time.monotonic() - began_s


if __name__ == "__main__":
    main()
