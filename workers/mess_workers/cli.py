"""`mess index` and `mess worker`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO
from uuid import uuid4

import click
from msgspec.structs import replace
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
from mess_plugin.cli.completion import remember_titles
from mess_plugin.cli.output import json_option, print_json, say
from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders import describe
from mess_plugin.errors import MissingWeights, UsageError
from mess_plugin.library.pruning import forget_vanished
from mess_plugin.library.reconcile import Request, drain
from mess_plugin.library.walk import absolute_roots, describe_omissions
from mess_plugin.logs import printable
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import active_recipe, complete, resolve_settings
from mess_plugin.spaces.recipe import Recipe, weights_of
from mess_plugin.spaces.refit import refit
from mess_plugin.store import Store, open_store
from mess_plugin.store.jobs import Failure
from mess_workers.broker import JobQueue
from mess_workers.index_run import IndexRun, Progress, with_patience
from mess_workers.worker import Worker

_SHOWN_FAILURES = 3


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option(
    "--files-from",
    type=click.File("rb"),
    metavar="FILE",
    help="Files to index as well, each ended by a NUL byte; - is standard input.",
)
@click.option("--encoder", metavar="NAME", help="Instead of the one in the settings.")
@click.option(
    "--coverage", type=float, metavar="SHARE", help="The share of the music to hear, 0 to 1."
)
@click.option("--jobs", type=int, metavar="N", help="Worker processes (default: one per core).")
@click.option("--retry-failed", is_flag=True, help="Try files again that failed before.")
@click.option("--force", is_flag=True, help="Read every file again.")
@click.option("--prune", is_flag=True, help="Forget vanished files even where most are gone.")
@json_option
def index(
    paths: tuple[str, ...],
    files_from: BinaryIO | None,
    encoder: str | None,
    coverage: float | None,
    jobs: int | None,
    retry_failed: bool,
    force: bool,
    prune: bool,
    as_json: bool,
) -> None:
    """Index audio files and folders. What is unchanged is left alone; run it as often as you like."""
    settings = load_settings(encoder=encoder, coverage=coverage, jobs=jobs)
    if not paths and files_from is None:
        raise UsageError("nothing to index: give files or folders, or --files-from")
    roots = absolute_roots(paths)
    listed = absolute_roots(_names(files_from))
    with (
        connected(settings, broker=True) as ready,
        worker_for(settings, ready) as worker,
        progress_bar("indexing", quiet=as_json) as show,
    ):
        url = ready.database_url or ""
        with open_store(url) as store:
            recipe = str(_recipe(store, settings, coverage))
            drain(settings.home, store, Request.of(store, settings))
        request = Request(
            recipe,
            batch=uuid4(),
            retry_failed=retry_failed,
            force=force,
            ignore=settings.ignore,
        )
        run = IndexRun(JobQueue(ready), worker.need, request, show, worker.check)

        def work(store: Store) -> tuple[int, list[Failure]]:
            run.run(store, roots, listed)
            forgotten = _prune(store, settings, run, roots if prune else ())
            refit(store, recipe)
            complete(store)
            remember_titles(store, settings.home)
            return forgotten, run.failures(_SHOWN_FAILURES)

        try:
            forgotten, failures = with_patience(url, work, say)
        except KeyboardInterrupt:
            say("stopping: finishing the files at hand; run the same command again to resume")
            raise
    _report(run, forgotten, failures, [*roots, *listed], as_json)


def _names(files: BinaryIO | None) -> list[str]:
    return [os.fsdecode(name) for name in files.read().split(b"\0") if name] if files else []


def _recipe(store: Store, settings: Settings, coverage: float | None) -> Recipe:
    """The recipe to index with; a coverage of the command's own goes before the chosen one."""
    recipe = Recipe.of(resolve_settings(store, settings))
    if coverage is not None:
        recipe = replace(recipe, coverage=coverage)
    state = describe(recipe.encoder).weights_state(weights_of(recipe.encoder, settings))
    if not state.ready:
        raise MissingWeights(recipe.encoder, state.detail)
    if str(recipe) != active_recipe(store, settings):
        answering = Recipe.parse(active_recipe(store, settings))
        if answering.encoder == recipe.encoder:
            say(f"{recipe.encoder} indexes with other options than those that answers come from")
        else:
            say(f"indexing with {recipe.encoder}; answers come from {answering.encoder}")
    return recipe


def worker_for(settings: Settings, ready: Settings) -> Worker:
    """A worker of the command's own, for when there is no other."""
    return Worker(settings, is_elsewhere=lambda: _is_worker_up(settings, ready))


def _is_worker_up(settings: Settings, ready: Settings) -> bool:
    """Whether `mess up`, or somebody on a broker of the user's own, works already."""
    running = embedded.state(settings.home)
    may_be = settings.broker_url is not None or (running is not None and running.pinned)
    return may_be and JobQueue(ready).has_worker()


@contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal; silence elsewhere."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _progress: None
        return
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("left,"),
        TimeElapsedColumn(),
        TextColumn("so far"),
    )
    with Bar(*columns, console=console, speed_estimate_period=60) as bar:
        task = bar.add_task(what, total=None, rate="")

        def show(progress: Progress) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(
                task,
                total=progress.wanted,
                completed=progress.finished,
                rate=f"{speed:.1f} files/s" if speed else "",
            )

        yield show


def _prune(store: Store, settings: Settings, run: IndexRun, confirmed: Sequence[str]) -> int:
    """Give up what vanished, unless that is suspiciously much. confirmed: roots without a doubt."""
    forgotten = sum(forget_vanished(store, root) for root in confirmed)
    for root, reason in run.look_again().items():
        say(
            f"{printable(root)}: {reason} "
            "Nothing was forgotten: run again with --prune if they are really gone"
        )
    store.files.forget_missing(settings.keep_missing_s)
    return forgotten + run.progress.given_up


def _report(
    run: IndexRun, vanished: int, failures: Sequence[Failure], roots: Sequence[str], as_json: bool
) -> None:
    """Say what came of it. Exit code 1 where a folder could not be read, or every file failed."""
    done, unreadable = run.progress, run.unreadable
    failed = done.failed + done.failed_before
    if as_json:
        print_json(
            {
                "indexed": done.indexed + done.known,
                "encoded": done.indexed,
                "unchanged": done.unchanged,
                "failed": failed,
                "forgotten": vanished + done.gone,
                "unreadable": [printable(line) for line in unreadable],
                "passed_over": {printable(name): n for name, n in run.passed_over.items()},
                "left_out": {printable(name): n for name, n in run.left_out.items()},
            }
        )
    for line in unreadable:
        say(f"cannot read {line}")
    if not done.seen:
        if unreadable:
            raise SystemExit(1)
        omitted = describe_omissions(run.passed_over, run.left_out)
        raise UsageError(
            "; ".join([f"no audio files in {', '.join(map(printable, roots))}", *omitted])
        )
    if not as_json:
        _say_result(run, failures, vanished)
    if unreadable or not (done.indexed + done.known + done.unchanged or not failed):
        raise SystemExit(1)


def _say_result(run: IndexRun, failures: Sequence[Failure], vanished: int) -> None:
    done = run.progress
    failed = done.failed + done.failed_before
    parts = [f"{done.indexed + done.known} indexed", f"{done.unchanged} unchanged"]
    parts.append(f"{failed} failed")
    if vanished + done.gone:
        parts.append(f"{vanished + done.gone} vanished files forgotten")
    say(", ".join(parts))
    for one in failures:
        say(f"failed: {one.path}: {one.reason}")
    if failed:
        more = "the others: `mess failures`; " if failed > len(failures) else ""
        say(f"{more}to try again: mess index --retry-failed PATH…")
    for line in describe_omissions(run.passed_over, run.left_out):
        say(line)


@click.command()
@click.option("--jobs", type=int, metavar="N", help="Worker processes (default: one per core).")
def worker(jobs: int | None) -> None:
    """Run a worker in the foreground, for the servers in the settings."""
    load_settings(jobs=jobs)
    if jobs is not None:
        os.environ["MESS_JOBS"] = str(jobs)
    os.execv(sys.executable, [sys.executable, "-m", "mess_workers"])  # noqa: S606
