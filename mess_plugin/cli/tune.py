"""`mess tune`: adapters for MERT from pairs of one's own."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mess_plugin.cli.output import json_option, print_json, say
from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders.mert import weights
from mess_plugin.encoders.mert.layers import parse_layers
from mess_plugin.encoders.mert.releases import CONFIG_FILE, RELEASES, Release
from mess_plugin.errors import EncoderError, UsageError
from mess_plugin.folding import fold
from mess_plugin.metric.judgements import read
from mess_plugin.search.references import find_track
from mess_plugin.services import connected
from mess_plugin.spaces.recipe import weights_of
from mess_plugin.store import open_store

if TYPE_CHECKING:
    from mess_plugin.pretraining.tune import Tuned

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_TOLD_EVERY = 10  # steps


@click.command()
@click.argument("encoder", type=click.Choice([release.name for release in RELEASES]))
@click.option(
    "--pairs", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Lines path<TAB>path of tracks that belong together.",
)  # fmt: skip
@click.option("--name", required=True, metavar="NAME", help="What to call it.")
@click.option("--steps", type=click.IntRange(1), default=200, show_default=True)
@click.option("--seed", default=0, show_default=True)
@json_option
def tune(encoder: str, pairs: Path, name: str, steps: int, seed: int, as_json: bool) -> None:
    """Teach ENCODER by pairs of tracks that belong together; kept only if it does better.

    The pairs are tracks of the library, as in `mess metric fit`. What is learned are adapters of a few
    megabytes; the weights stay as they are.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"name {name!r}: wanted 1 to 40 letters, digits, - and _")
    release = next(one for one in RELEASES if one.name == encoder)
    weights.require_libraries(release)
    if importlib.util.find_spec("peft") is None:
        raise EncoderError(
            encoder, "tuning needs the extra 'tune': pip install 'mess-plugin[tune]'"
        )
    settings = load_settings()
    folder = settings.home / "tuned" / name / encoder
    if folder.exists():
        raise UsageError(f"{folder} is there already: choose another name, or remove it")
    files = weights.find(release, weights_of(encoder, settings))
    weights.check_config(release, files.config)
    weights.verify(release, files)
    if files.adapters is not None:
        raise UsageError(f"{files.adapters} holds adapters already: tune the plain weights")
    tuned = _tuned(settings, release, files, pairs, steps, seed)
    if tuned.trial.helps:
        _keep(folder, files, tuned)
    _tell(tuned, folder, as_json)


def _tuned(
    settings: Settings,
    release: Release,
    files: weights.WeightFiles,
    pairs: Path,
    steps: int,
    seed: int,
) -> Tuned:
    from mess_plugin.pretraining.tune import TuningPlan, hear  # noqa: PLC0415  needs torch
    from mess_plugin.pretraining.tune import tune as learn  # noqa: PLC0415

    states = parse_layers(settings.layers or release.default_layers, release.architecture.depth)
    if len(states) != 1 or states[0] == 0:
        raise UsageError(f"layers is {settings.layers}: tuning wants a single one, 1 or higher")
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        judgements = read(pairs, lambda ref: find_track(store, ref))
        similar = [*judgements.similar, *((a, near) for a, near, _ in judgements.triplets)]
        tracks = store.library.get(sorted({track for pair in similar for track in pair}))
    artists = {i: fold(track.tags.artist or "") or None for i, track in tracks.items()}
    heard = {}
    for number, (i, track) in enumerate(tracks.items(), start=1):
        heard[i] = hear(Path(track.paths[0]))
        if number % _TOLD_EVERY == 0 or number == len(tracks):
            say(f"{number} of {len(tracks)} tracks read")

    def told(step: int, loss: float) -> None:
        if step % _TOLD_EVERY == 0:
            say(f"step {step} of {steps}: loss {loss:.3f}")

    plan = TuningPlan(states[0], steps=steps, seed=seed)
    return learn(release, files, similar, artists, heard, plan, on_step=told)


def _keep(folder: Path, files: weights.WeightFiles, tuned: Tuned) -> None:
    """The adapters, and links to the weights that they belong to, all or nothing."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    try:
        tuned.save(draft)
        (draft / CONFIG_FILE).symlink_to(files.config.resolve())
        (draft / files.weights.name).symlink_to(files.weights.resolve())
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _tell(tuned: Tuned, folder: Path, as_json: bool) -> None:
    trial = tuned.trial
    figures: dict[str, Any] = {name: getattr(trial, name) for name in trial.__struct_fields__}
    if as_json:
        kept = str(folder.parent) if trial.helps else None
        print_json({"helps": trial.helps, "folder": kept, **figures})
        return
    words = (
        f"{trial.before_right:.1%} of the held-out comparisons were right, {trial.after_right:.1%} "
        f"are now ({trial.n_groups} groups, {trial.certainty:.1f} standard errors)"
    )
    if not trial.helps:
        say(f"it does not help for certain, so nothing was kept: {words}")
        return
    say(f"kept in {folder}: {words}")
    say(f"to use it: mess config set weights {folder.parent}, then `mess index --force FOLDER`")
