"""`python -m mess_plugin.pretraining LIST AUDIO WORK`: from recordings to the weights of mess-mini.

Every stage leaves a file behind and is skipped when that exists, so the same command goes on after
an interruption.
"""

from __future__ import annotations

import logging
from pathlib import Path

import click
import numpy as np

from mess_plugin.evaluation.listing import read_listing
from mess_plugin.pretraining.data import Collection
from mess_plugin.pretraining.fitting import fit_and_export
from mess_plugin.pretraining.folds import folds
from mess_plugin.pretraining.losses import Weights
from mess_plugin.pretraining.musicnn import MusiCNN
from mess_plugin.pretraining.prepare import prepare, teach
from mess_plugin.pretraining.train import Plan, Trainer, train

TERMS = ("masked", "tones", "contrast", "distil")


@click.command()
@click.argument("listing", metavar="LIST", type=click.Path(exists=True, path_type=Path))
@click.argument("audio", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("work", type=click.Path(file_okay=False, path_type=Path))
@click.option("--musicnn", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder MSD_musicnn of the PyPI package musicnn: the teacher.")  # fmt: skip
@click.option("--steps", default=Plan().steps, show_default=True)
@click.option(
    "--frames", default=Plan().n_frames, show_default=True, help="Per window, 4 a second."
)
@click.option("--seed", default=0, show_default=True)
@click.option("--without", multiple=True, type=click.Choice(TERMS), help="Leave out a loss term.")
@click.option("--leave-out", default=None, metavar="K/N", help="Train without fold K of N.")
@click.option("--name", default="run", show_default=True, help="Of the run, below WORK.")
def main(
    listing: Path, audio: Path, work: Path, musicnn: Path | None, steps: int, frames: int,
    seed: int, without: tuple[str, ...], leave_out: str | None, name: str,
) -> None:  # fmt: skip
    """Train mess-mini on the recordings of LIST below AUDIO; everything is written to WORK.

    The weights end up in WORK/NAME. Training uses as many threads as OMP_NUM_THREADS allows.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recordings = read_listing(listing)
    spectra = work / "spectra"
    prepare([audio / r.track for r in recordings], [r.album for r in recordings], spectra)
    teacher = MusiCNN(musicnn) if musicnn else None
    if teacher:
        teach(teacher, spectra)
    chosen = np.ones(len(recordings), dtype=np.bool_)
    if leave_out:
        k, n = (int(part) for part in leave_out.split("/"))
        chosen = folds(recordings, n) != k
    tracks = [int(i) for i in np.flatnonzero(chosen)]
    weights = Weights(**dict.fromkeys(without, 0.0))
    plan = Plan(steps=steps, n_frames=frames, seed=seed, weights=weights)
    collection = Collection(spectra)
    trainer = Trainer(plan, collection, tracks, teacher)
    train(trainer, work / name)
    mixed = {r.album for r in recordings if r.mixed}
    path = fit_and_export(trainer.net, collection, tracks, mixed, work / name)
    click.echo(f"weights: {path}")


if __name__ == "__main__":
    main()
