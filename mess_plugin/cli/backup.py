"""`mess backup`, `mess restore`, `mess upgrade`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from mess_plugin import embedded
from mess_plugin.cli.output import say
from mess_plugin.config import Settings, load_settings
from mess_plugin.embedded.home import Home
from mess_plugin.embedded.postgres import versions
from mess_plugin.errors import UsageError
from mess_plugin.library import backup as library_backup
from mess_plugin.library.upgrade import fetch_programs, move_cluster
from mess_plugin.services import connected, has_library
from mess_plugin.store import open_store

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")


@click.command()
@_FILE
@click.option(
    "--without-vectors",
    is_flag=True,
    help="Leave out what was heard: a small file, after which the music must be heard again.",
)
def backup(file: Path, without_vectors: bool) -> None:
    """Write the library to FILE: the database and the files of the home, as of this moment.

    Everything may go on meanwhile. FILE holds secrets, such as the token of the HTTP service.
    """
    settings = load_settings()
    if not has_library(settings):
        raise UsageError(f"there is no library in {settings.home} yet: nothing to back up")
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        made = library_backup.backup(
            store, settings.home, file, vectors=not without_vectors, show=lambda _: None
        )
    size_mb = file.stat().st_size / 1e6
    say(f"{made.rows.get('tracks', 0)} tracks written to {file} ({size_mb:.1f} MB)")
    say(f"to put it back: mess restore {file}")


@click.command()
@_FILE
@click.option("--replace", is_flag=True, help="Delete what the library holds now.")
def restore(file: Path, replace: bool) -> None:
    """Put a library back that `mess backup` wrote, into an empty home or an empty database.

    All of it comes back, or nothing changes. Paths of the music stay as they were.
    """
    library_backup.read_manifest(file)
    _refuse_while_up(load_settings())
    restored = library_backup.restore_files(file, load_settings().home, replace=replace)
    settings = load_settings()  # with what config.toml says now
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        made = library_backup.restore_database(store, file, replace=replace, show=lambda _: None)
    say(f"{made.rows.get('tracks', 0)} tracks are back, as of {made.made_at}")
    if restored:
        say(f"also {', '.join(restored)} in {settings.home}")
    if not made.with_vectors:
        say("what was heard is not in it: run `mess index FOLDER` to hear the music again")


@click.command()
@click.option(
    "--old", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Holds bin/postgres of the old version; otherwise that is fetched by pip.",
)  # fmt: skip
def upgrade(old: Path | None) -> None:
    """Move the embedded database to the version of Postgres that this MESS brings."""
    settings = load_settings()
    if settings.database_url is not None:
        raise UsageError("the database is a server of your own: upgrade it there (pg_upgrade)")
    theirs, ours = versions(Home.at(settings.home))
    if not theirs:
        raise UsageError(f"there is no library in {settings.home} yet: nothing to upgrade")
    if theirs == ours:
        say(f"the database is of Postgres {ours}, as this MESS wants it: nothing to do")
        return
    _refuse_while_up(settings)
    with TemporaryDirectory(prefix="mess-upgrade-") as folder:
        programs = old or fetch_programs(theirs, Path(folder))
        say(f"moving the database from Postgres {theirs} to {ours}; this may take a while")
        kept = move_cluster(settings.home, programs, theirs)
    say(f"done; the old database is in {kept}, to be deleted when you are content")


def _refuse_while_up(settings: Settings) -> None:
    running = embedded.state(settings.home)
    if running is not None and (running.pinned or running.leases):
        raise UsageError(f"{settings.home} is in use: run `mess down` first")
