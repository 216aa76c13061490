"""How long a question takes from the shell: `mess similar`, its start and its end included.

    mess up
    python benchmarks/question_start.py "WORDS THAT NAME A TRACK" [--runs 21]

Asks the library of MESS_HOME again and again, in turn with an interpreter that only imports numpy,
psycopg and click, which is the floor for a program that asks Postgres for vectors.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles

import click

MESS = str(Path(sys.executable).with_name("mess"))
FLOOR = (sys.executable, "-c", "import numpy, psycopg, click")


def duration_s(*command: str) -> float:
    """Wall clock of one run. Raises CalledProcessError where it fails."""
    began_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began_s


@click.command()
@click.argument("words")
@click.option("--runs", default=21, show_default=True)
def main(words: str, runs: int) -> None:
    """Print the median, the quartiles and the best of each."""
    ways = {"mess similar": (MESS, "similar", words), "the imports alone": FLOOR}
    for command in ways.values():
        duration_s(*command)  # warm
    found = [{name: duration_s(*command) for name, command in ways.items()} for _ in range(runs)]
    for name in ways:
        durations_s = [run[name] for run in found]
        lower, _, upper = quantiles(durations_s, n=4)
        click.echo(
            f"{name}: median {median(durations_s):.2f} s, quartiles {lower:.2f} to {upper:.2f}, "
            f"best {min(durations_s):.2f}"
        )


if __name__ == "__main__":
    main()
