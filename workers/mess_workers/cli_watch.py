"""`mess watch`."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import click

from mess_plugin.cli.output import say
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import UsageError
from mess_plugin.library.pruning import forget_vanished, is_there
from mess_plugin.library.walk import absolute_roots, watched_roots
from mess_plugin.logs import log_to_stderr, printable
from mess_plugin.services import connected
from mess_plugin.store import open_store
from mess_workers.broker import JobQueue
from mess_workers.cli import worker_for
from mess_workers.dispatcher import Dispatcher, Intake
from mess_workers.watch.supervisor import running, watch_folders


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@click.option("--poll", is_flag=True, help="Look again and again instead of using inotify.")
@click.option("--jobs", type=int, metavar="N", help="Worker processes (default: one per core).")
@click.option(
    "--confirm-prune", is_flag=True, help="Forget what vanished there, however much, and end."
)
def watch(paths: tuple[str, ...], poll: bool, jobs: int | None, confirm_prune: bool) -> None:
    """Keep the library in step with folders, in the foreground, until Ctrl-C.

    Without PATH: the folders of the setting `watch`, which `mess up` watches in the background.
    """
    settings = load_settings(jobs=jobs, watch_by="polling" if poll else None)
    if paths and not confirm_prune:
        absolute_roots(paths)  # a name that was mistyped would wait for its folder for ever
    roots = watched_roots(paths or settings.watch)
    if not roots:
        raise UsageError("nothing to watch: give a folder, or set `watch` in config.toml")
    if confirm_prune:
        _confirm(settings, roots)
    else:
        _watch(settings, roots)


def _watch(settings: Settings, roots: list[str]) -> None:
    log_to_stderr(settings.log_format)
    with ExitStack() as stack:
        ready = stack.enter_context(connected(settings, broker=True))
        store = stack.enter_context(open_store(ready.database_url or ""))
        worker = stack.enter_context(worker_for(settings, ready))
        dispatcher = Dispatcher(ready, store, JobQueue(ready))
        intake = Intake(ready)
        stack.enter_context(running([intake]))

        def meanwhile() -> None:
            intake.check()
            if dispatcher.tick():
                worker.need()
            worker.check()

        watch_folders(store, ready, roots, threading.Event(), meanwhile)


def _confirm(settings: Settings, roots: list[str]) -> None:
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        for root in roots:
            if not is_there(root):
                raise UsageError(
                    f"{printable(root)} is not there: mount it, or use `mess forget` to give up "
                    "all of it"
                )
            say(f"{printable(root)}: {forget_vanished(store, root)} files forgotten")
        store.roots.request_walks()
