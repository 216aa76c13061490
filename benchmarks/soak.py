"""A long chaos: things happen to a folder and servers are killed, for as long as you like.

    PYTHONPATH=.:workers:integrations python benchmarks/soak.py --minutes 60 --seed 7

Every round changes a folder at random while servers and programs are killed, then waits until the
library is in step and compares it, row for row, with a fresh index. Ends at the first difference.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import click
import psycopg

from mess_plugin.store import open_store
from tests.chaos import (
    Folder,
    assert_equal,
    house,
    index_afresh,
    make_songs,
    rampage,
    rows,
    settled,
)


@click.command()
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--acts", default=200, show_default=True, help="Things that happen in a round.")
def main(minutes: float, seed: int, acts: int) -> None:
    """Run rounds until the time is over."""
    until_s = time.monotonic() + minutes * 60
    with tempfile.TemporaryDirectory(prefix="mess-soak-") as place:
        root = Path(place)
        music = root / "music"
        music.mkdir()
        folder = Folder(music, make_songs(root / "songs", 12), random.Random(seed))
        with house(root / "home", music) as home:
            round_number = 0
            while time.monotonic() < until_s:
                round_number += 1
                happened = rampage(home, folder, acts)
                began_s = time.monotonic()
                settled(home, 600)
                with open_store(home.database_url) as store:
                    store.files.forget_missing(0.0)
                    store.files.forget_orphans()
                fresh = _fresh_database(home.database_url, f"fresh_{round_number}")
                index_afresh(fresh, home)
                found = rows(home.database_url)
                assert_equal(found, rows(fresh))
                kills = sum(what.startswith("killed") for what in happened)
                click.echo(
                    f"round {round_number}: {len(happened) - kills} acts, {kills} kills, "
                    f"{len(found['files'])} files equal; "
                    f"in step {time.monotonic() - began_s:.1f} s after the last act"
                )


def _fresh_database(database_url: str, name: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return database_url.replace("/mess?", f"/{name}?", 1)


if __name__ == "__main__":
    main()
