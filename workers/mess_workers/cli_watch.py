"""`mess watch`."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack

import click

from mess_plugin import embedded
from mess_plugin.cli.output import say
from mess_plugin.cli.services import start_background
from mess_plugin.config import Settings, load_settings, write_setting
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

_SAMPLE = 1000  # files by which the folder of the library is found


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@click.option("--poll", is_flag=True, help="Look again and again instead of using inotify.")
@click.option("--jobs", type=int, metavar="N", help="Worker processes (default: one per core).")
@click.option(
    "--add", multiple=True, metavar="FOLDER", help="Have `mess up` watch it from now on, and end."
)
@click.option("--remove", multiple=True, metavar="FOLDER", help="Watch it no longer, and end.")
@click.option(
    "--confirm-prune", is_flag=True, help="Forget what vanished there, however much, and end."
)
def watch(
    paths: tuple[str, ...],
    poll: bool,
    jobs: int | None,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    confirm_prune: bool,
) -> None:
    """Keep the library in step with folders, in the foreground, until Ctrl-C.

    Without PATH: the folders of the setting `watch`, which `mess up` watches in the background.
    """
    settings = load_settings(jobs=jobs, watch_by="polling" if poll else None)
    if add or remove:
        if paths or confirm_prune:
            raise UsageError("--add and --remove change the setting `watch`, and do nothing else")
        _change(settings, add, remove)
        return
    if paths and not confirm_prune:
        absolute_roots(paths)  # a name that was mistyped would wait for its folder for ever
    roots = watched_roots(paths or settings.watch)
    if not roots:
        raise UsageError("nothing to watch: give a folder, or `mess watch --add FOLDER`")
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


def _change(settings: Settings, add: Sequence[str], remove: Sequence[str]) -> None:
    """Change the setting `watch` in config.toml, and have what runs in the background follow."""
    if os.environ.get("MESS_WATCH"):
        raise UsageError("MESS_WATCH is set and goes before config.toml: change it there")
    before = [os.path.abspath(os.path.expanduser(path)) for path in settings.watch]  # noqa: PTH100, PTH111
    gone = [os.path.abspath(os.path.expanduser(path)) for path in remove]  # noqa: PTH100, PTH111
    for path in gone:
        if path not in before:
            raise UsageError(f"{printable(path)} is not watched: see `mess status`")
    kept = [path for path in before if path not in gone]
    roots = watched_roots([*kept, *absolute_roots(add)])
    write_setting(settings.home, "watch", roots)
    say(f"watched: {', '.join(map(printable, roots)) or 'nothing'}")
    running = embedded.state(settings.home)
    if running is not None and running.pinned:
        start_background(load_settings())
    elif roots:
        say("`mess up` watches in the background")


def greet(settings: Settings) -> str:
    """What `mess up` says of watched folders."""
    roots = watched_roots(settings.watch)
    if roots:
        return f"watching {', '.join(map(printable, roots))}"
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        paths = [path for path, _ in store.files.sample_files(_SAMPLE)]
    folder = os.path.commonpath(paths) if paths else "/"
    if os.path.isfile(folder):  # noqa: PTH113  text paths keep odd bytes
        folder = os.path.dirname(folder)  # noqa: PTH120
    return (
        f"nothing is watched: `mess watch --add {printable(folder) if folder != '/' else 'FOLDER'}`"
    )
