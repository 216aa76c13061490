"""`mess encoders use`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click
import msgspec
import numpy as np

from mess_plugin import embedded
from mess_plugin.cli.library import spoken_duration
from mess_plugin.cli.output import json_option, print_json, say
from mess_plugin.cli.shared_options import complete_encoder
from mess_plugin.config import Settings, load_settings
from mess_plugin.documents import switch_document
from mess_plugin.encoders import describe
from mess_plugin.encoders.base import Encoder
from mess_plugin.errors import MessError, MissingWeights
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import (
    Switch,
    SwitchState,
    active_recipe,
    begin,
    complete,
    under_way,
)
from mess_plugin.spaces.recipe import Recipe, load_encoder, weights_of
from mess_plugin.store import Store, open_store
from mess_workers.broker import JobQueue
from mess_workers.cli import progress_bar, worker_for
from mess_workers.dispatcher import send_due
from mess_workers.index_run import Progress
from mess_workers.worker import Worker

_LOOK_S = 0.5
_TRIED_WINDOWS = 4


@click.command()
@click.argument("name", shell_complete=complete_encoder)
@click.option("--layers", metavar="LAYERS", help="Hidden states to use, such as 6 or 4-8.")
@click.option(
    "--precision", type=click.Choice(["fp32", "bf16", "int8"]), help="After `mess encoders test`."
)
@click.option("--coverage", type=float, metavar="SHARE", help="The share of the music to hear.")
@click.option(
    "--wait/--no-wait", default=None, help="Stay until the end (default: unless `mess up` works)."
)
@click.option("--yes", is_flag=True, help="Begin without asking.")
@json_option
def use(
    name: str,
    layers: str | None,
    precision: str | None,
    coverage: float | None,
    wait: bool | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Hear the whole library with the encoder NAME, and answer with it when that is done.

    Until then answers come from the encoder before. Interrupt it as you like: what is done is kept,
    and the same command goes on. To go back, use the encoder before.
    """
    settings = load_settings(layers=layers, precision=precision, coverage=coverage)
    encoder = _check(settings, name)
    with (
        connected(settings, broker=True) as ready,
        open_store(ready.database_url or "") as store,
        worker_for(settings, ready) as worker,
    ):
        if not as_json:
            ask_first(store, msgspec.structs.replace(settings, encoder=name), encoder, yes=yes)
        switch = begin(store, settings, name)
        if switch is not None and (not _is_up(settings) if wait is None else wait):
            with progress_bar(f"hearing with {name}", quiet=as_json) as show:
                _wait(store, JobQueue(ready), worker, show)
        _report(store, settings, name, as_json)


def _check(settings: Settings, name: str) -> Encoder:
    """Load the encoder once: what is missing is said now and not of every file."""
    description = describe(name)
    state = description.weights_state(weights_of(name, settings))
    if not state.ready:
        raise MissingWeights(name, state.detail)
    return load_encoder(Recipe.of(msgspec.structs.replace(settings, encoder=name)), settings)


def ask_first(store: Store, settings: Settings, encoder: Encoder, *, yes: bool) -> None:
    """Say how long encoding the rest of the library takes, and on a terminal ask whether to begin.

    settings: with the new encoder. Raises click.Abort where the answer is no.
    """
    recipe = Recipe.of(settings)
    answering = Recipe.parse(active_recipe(store, msgspec.structs.replace(settings, encoder=None)))
    _, n_files, hours = store.library.count()
    built = store.recipes.progress(str(recipe))
    n_left = n_files - built.done - built.failed
    if n_left <= 0 or recipe == answering:
        return
    music_s = hours * 3600 * n_left / n_files * recipe.coverage
    processes = 1 if settings.device != "cpu" else settings.jobs
    took = spoken_duration(music_s / speed_of(encoder) / processes)
    say(
        f"{n_left} files are encoded with {recipe.encoder}, which takes about {took} on this machine; "
        f"until then answers come from {answering.encoder}"
    )
    if not yes and sys.stdin.isatty():
        click.confirm("begin?", abort=True, err=True)


def speed_of(encoder: Encoder) -> float:
    """Seconds of music that one process encodes in a second, measured on noise."""
    info = encoder.info
    shape = (_TRIED_WINDOWS, round(info.window_s * info.rate_hz))
    windows = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    encoder.encode(windows[:1])  # what is done once only
    began_s = time.perf_counter()
    encoder.encode(windows)
    return _TRIED_WINDOWS * info.hop_s / max(1e-6, time.perf_counter() - began_s)


def _is_up(settings: Settings) -> bool:
    running = embedded.state(settings.home)
    return running is not None and running.pinned


def _wait(store: Store, queue: JobQueue, worker: Worker, show: Callable[[Progress], None]) -> None:
    """Do and wait until the switch is over, whoever completes it."""
    while (switch := under_way(store)) is not None:
        show(_progress(switch))
        if switch.state is SwitchState.HELD:
            raise MessError(held(switch))
        if switch.state is SwitchState.READY and complete(store):
            return
        worker.need()
        send_due(store, queue)
        worker.check()
        time.sleep(_LOOK_S)


def _progress(switch: Switch) -> Progress:
    built = switch.built
    return Progress(
        wanted=built.done + built.failed + built.left, indexed=built.done, failed=built.failed
    )


def held(switch: Switch) -> str:
    """Why a switch does not come to its end, and what to do."""
    return (
        f"{switch.built.lost} files that {switch.old} heard failed with {switch.new}, so {switch.old} "
        "goes on answering: see `mess failures`; the same command tries them again"
    )


def _report(store: Store, settings: Settings, name: str, as_json: bool) -> None:
    if as_json:
        print_json({"recipe": active_recipe(store, settings), "switch": switch_document(store)})
    elif under_way(store) is None:
        say(f"answers come from {name}")
    else:
        say(f"{name} is built in the background; `mess encoders` shows how far it is")
