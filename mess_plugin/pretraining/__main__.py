"""`python -m mess_plugin.pretraining LIST AUDIO WORK`: from recordings to the weights of mess-mini.

Every stage leaves a file behind and is skipped when that exists, so the same command goes on after
an interruption.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from msgspec.structs import replace

from mess_plugin import encoders
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.errors import UsageError
from mess_plugin.evaluation.listing import read_listing
from mess_plugin.pretraining.codec_copies import prepare_coded
from mess_plugin.pretraining.data import Collection
from mess_plugin.pretraining.fitting import fit_and_export
from mess_plugin.pretraining.folds import folds
from mess_plugin.pretraining.losses import LossWeights
from mess_plugin.pretraining.musicnn import MusiCNN
from mess_plugin.pretraining.prepare import prepare
from mess_plugin.pretraining.teachers import EncoderTeacher, MusiCNNTeacher, Teacher, teach
from mess_plugin.pretraining.train import Trainer, TrainingPlan, train

TERMS = ("masked", "tones", "contrast", "local", "distil")
MIXUP = "mixup"  # no term of the loss, but left out in the same way


def without_parts(left_out: Sequence[str]) -> TrainingPlan:
    """The recipe without some of its TERMS, or without MIXUP. UsageError if no term is left."""
    if set(TERMS) <= set(left_out):
        raise UsageError("--without leaves no term of the loss: there is nothing to train")
    weights = LossWeights(**{term: 0.0 for term in TERMS if term in left_out})
    plan = TrainingPlan(weights=weights)
    return replace(plan, mixup_db=None) if MIXUP in left_out else plan


def fold(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Reads "K/N"."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", value)
    if not found or int(found[1]) >= int(found[2]):
        raise click.BadParameter("write K/N with K from 0 to N - 1, for instance 0/3")
    return int(found[1]), int(found[2])


@click.command()
@click.argument("listing", metavar="LIST", type=click.Path(exists=True, path_type=Path))
@click.argument("audio", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("work", type=click.Path(file_okay=False, path_type=Path))
@click.option("--musicnn", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder MSD_musicnn of the PyPI package musicnn: the stem starts from it, and it "
              "is the teacher where no other is named.")  # fmt: skip
@click.option("--teacher", "encoder", metavar="ENCODER", default=None,
              help="Learn from an encoder instead, for instance mert-95m.")  # fmt: skip
@click.option("--teacher-weights", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder with the teacher's weights, if not in the standard place.")  # fmt: skip
@click.option("--device", type=click.Choice(["cpu", "cuda", "auto"]), default="auto",
              show_default=True, help="Where the teacher listens.")  # fmt: skip
@click.option("--longest", "longest_s", type=click.FloatRange(min=30.0), default=math.inf,
              metavar="SECONDS", help="Use the middle of longer recordings.")  # fmt: skip
@click.option("--also", nargs=2, type=click.Path(exists=True, path_type=Path), metavar="LIST AUDIO",
              help="More recordings to learn from, which --leave-out never leaves out.")  # fmt: skip
@click.option("--steps", default=TrainingPlan().steps, show_default=True)
@click.option(
    "--frames", default=TrainingPlan().n_frames, show_default=True, help="Per window, 4 a second."
)
@click.option("--seed", default=0, show_default=True)
@click.option("--without", multiple=True, type=click.Choice([*TERMS, MIXUP]),
              help="Leave out a term of the loss, or the mixup; may be repeated.")  # fmt: skip
@click.option("--codec", type=click.FloatRange(0.0, 1.0), default=0.0, metavar="SHARE",
              help="Of the changed windows that went through MP3 or Opus first.")  # fmt: skip
@click.option("--leave-out", default=None, metavar="K/N", callback=fold,
              help="Train without fold K of N.")  # fmt: skip
@click.option("--stop-after", type=click.IntRange(min=1), metavar="STEPS",
              help="Stop on the way to --steps, which the learning rate still follows.")  # fmt: skip
@click.option("--export-every", type=click.IntRange(min=1), metavar="STEPS",
              help="Write the weights so far to WORK/NAME/stepSTEP too.")  # fmt: skip
@click.option("--name", default="run", show_default=True, help="Of the run, below WORK.")
def main(
    listing: Path, audio: Path, work: Path, musicnn: Path | None, encoder: str | None,
    teacher_weights: Path | None, device: str, longest_s: float, also: tuple[Path, Path] | None,
    steps: int, frames: int, seed: int, without: tuple[str, ...],
    codec: float, leave_out: tuple[int, int] | None, stop_after: int | None,
    export_every: int | None, name: str,
) -> None:  # fmt: skip
    """Train mess-mini on the recordings of LIST below AUDIO; everything is written to WORK.

    The weights end up in WORK/NAME. Training uses as many threads as OMP_NUM_THREADS allows.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recordings = read_listing(listing)
    paths = [audio / r.track for r in recordings]
    spectra = work / ("spectra-also" if also else "spectra")
    chosen = np.ones(len(recordings), dtype=np.bool_)
    if leave_out:
        chosen = folds(recordings, leave_out[1]) != leave_out[0]
    if also:
        more = read_listing(also[0])
        recordings += more
        paths += [also[1] / r.track for r in more]
        chosen = np.append(chosen, np.ones(len(more), dtype=np.bool_))
    prepare(paths, [r.album for r in recordings], spectra, longest_s)
    if codec:
        prepare_coded(paths, spectra, longest_s)
    filters = MusiCNN(musicnn) if musicnn else None
    teacher: Teacher | None = MusiCNNTeacher(filters) if filters else None
    if encoder is not None:
        options = EncoderOptions(weights=teacher_weights, device=device)
        teacher = EncoderTeacher(encoders.load(encoder, options), longest_s)
    if teacher is not None:
        teach(teacher, paths, spectra)
    tracks = [int(i) for i in np.flatnonzero(chosen)]
    plan = replace(without_parts(without), steps=steps, n_frames=frames, seed=seed, codec=codec)
    collection = Collection(spectra, teacher.label if teacher else None)
    trainer = Trainer(plan, collection, tracks, filters)
    mixed = {r.album for r in recordings if r.mixed}

    def finish(folder: Path) -> Path:
        return fit_and_export(trainer.averaged, collection, tracks, mixed, folder)

    end = min(stop_after or steps, steps)
    for step in range(export_every or end, end, export_every or end):
        train(trainer, work / name, until=step)
        if trainer.step == step:  # else a run that went on further is taken up again
            finish(work / name / f"step{step}")
    train(trainer, work / name, until=end)
    if trainer.step > end:
        raise UsageError(f"the run {name} is at step {trainer.step} already: choose another name")
    path = finish(work / name)
    click.echo(f"weights: {path}")


if __name__ == "__main__":
    main()
