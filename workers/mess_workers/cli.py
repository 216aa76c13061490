"""`mess index` and `mess worker`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bar,
)

from mess_plugin import embedded
from mess_plugin.cli.output import json_option, print_json, printable, say
from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders import describe
from mess_plugin.errors import MissingWeights, UsageError
from mess_plugin.recipe import Recipe
from mess_plugin.refit import refit
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store
from mess_plugin.walk import Walk, absolute_roots
from mess_workers.feed import Feeding, Progress
from mess_workers.queue import Queue
from mess_workers.worker import running_worker

PRUNE_AT_MOST = 0.5  # a larger share of vanished files looks like an unmounted disk


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--encoder", metavar="NAME", help="Instead of the one in the settings.")
@click.option("--jobs", type=int, metavar="N", help="Worker processes (default: one per core).")
@click.option("--retry-failed", is_flag=True, help="Try files again that failed before.")
@click.option("--force", is_flag=True, help="Read every file again.")
@click.option("--prune", is_flag=True, help="Forget vanished files even where most are gone.")
@json_option
def index(
    paths: tuple[str, ...],
    encoder: str | None,
    jobs: int | None,
    retry_failed: bool,
    force: bool,
    prune: bool,
    as_json: bool,
) -> None:
    """Index audio files and folders. What is unchanged is left alone; run it as often as you like."""
    settings = load_settings(encoder=encoder, jobs=jobs)
    roots = absolute_roots(paths)
    _check_encoder(settings)
    walk = Walk(roots)
    with (
        connected(settings, broker=True) as ready,
        open_store(ready.database_url or "") as store,
        _worker(settings, ready) as check,
        _progress(quiet=as_json) as show,
    ):
        feeding = Feeding(
            store, Queue(ready), str(Recipe.of(settings)), retry_failed=retry_failed, force=force
        )
        try:
            done = feeding.run(walk, show, check)
        except KeyboardInterrupt:
            say("stopping: finishing the files at hand; run the same command again to resume")
            raise
        vanished = _prune(store, roots, feeding.paths, prune)
        refit(store, feeding.recipe)
    _report(done, walk, vanished, roots, as_json)


def _check_encoder(settings: Settings) -> None:
    description = describe(settings.encoder)
    state = description.weights_state()
    if not state.ready:
        raise MissingWeights(description.name, state.detail)


@contextmanager
def _worker(settings: Settings, ready: Settings) -> Iterator[Callable[[], None]]:
    """A worker for the time of the command, unless one is there already; yields its check."""
    running = embedded.state(settings.home)
    is_up = running is not None and running.pinned
    own_broker = settings.broker_url is None
    if (is_up or not own_broker) and Queue(ready).has_worker():
        yield lambda: None
        return
    with running_worker(settings) as worker:
        yield worker.check


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal; silence elsewhere."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _progress: None
        return
    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, speed_estimate_period=60) as bar:
        task = bar.add_task("indexing", total=None, rate="")

        def show(progress: Progress) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(
                task,
                total=progress.wanted,
                completed=progress.finished,
                rate=f"{speed:.1f} files/s" if speed else "",
            )

        yield show


def _prune(store: Store, roots: list[str], seen: set[str], prune: bool) -> int:
    """Forget known files below the roots that are gone, unless suspiciously many are."""
    known = store.ledger.known_paths(roots)
    gone = {path: file_id for path, file_id in known.items() if path not in seen}
    gone = {path: file_id for path, file_id in gone.items() if not os.path.lexists(path)}
    if not gone:
        return 0
    if len(gone) > max(10, PRUNE_AT_MOST * len(known)) and not prune:
        say(
            f"{len(gone)} of {len(known)} known files are gone; is a disk missing? "
            "Nothing was forgotten: run again with --prune if they are really gone"
        )
        return 0
    store.ledger.forget_files(list(gone.values()))
    return len(gone)


def _report(done: Progress, walk: Walk, vanished: int, roots: list[str], as_json: bool) -> None:
    failed = done.failed + done.failed_before
    if as_json:
        print_json(
            {
                "indexed": done.indexed + done.known,
                "encoded": done.indexed,
                "unchanged": done.unchanged,
                "failed": failed,
                "forgotten": vanished + done.gone,
                "unreadable": [printable(line) for line in walk.unreadable],
            }
        )
    for line in walk.unreadable:
        say(f"cannot read {line}")
    if not done.seen:
        if walk.unreadable:
            raise SystemExit(1)
        raise UsageError(f"no audio files in {', '.join(map(printable, roots))}")
    if not as_json:
        parts = [f"{done.indexed + done.known} indexed", f"{done.unchanged} unchanged"]
        parts.append(f"{failed} failed")
        if vanished + done.gone:
            parts.append(f"{vanished + done.gone} vanished files forgotten")
        say(", ".join(parts))
        if failed:
            say("see `mess failures`; to try again: mess index --retry-failed PATH…")
    if walk.unreadable:
        raise SystemExit(1)


@click.command()
@click.option("--jobs", type=int, metavar="N", help="Worker processes (default: one per core).")
def worker(jobs: int | None) -> None:
    """Run a worker in the foreground, for the servers in the settings."""
    load_settings(jobs=jobs)
    if jobs is not None:
        os.environ["MESS_JOBS"] = str(jobs)
    os.execv(sys.executable, [sys.executable, "-m", "mess_workers"])  # noqa: S606
