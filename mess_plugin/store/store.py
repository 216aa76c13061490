"""The door to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg

from mess_plugin.store.archive import Archive
from mess_plugin.store.connecting import connect, translated
from mess_plugin.store.dispatch import Dispatch, Workers
from mess_plugin.store.duplicates import Duplicates
from mess_plugin.store.embeddings import Embeddings
from mess_plugin.store.facets import Facets
from mess_plugin.store.files import Files
from mess_plugin.store.filters import Filtering
from mess_plugin.store.health import Health
from mess_plugin.store.hosts import Hosts
from mess_plugin.store.inbox import Inbox
from mess_plugin.store.jobs import Jobs
from mess_plugin.store.library import Library
from mess_plugin.store.lyrics import LyricsStore
from mess_plugin.store.metrics import Metrics
from mess_plugin.store.never import NeverRules
from mess_plugin.store.peaks import Waveforms
from mess_plugin.store.recipes import RecipeChoices
from mess_plugin.store.roots import Roots
from mess_plugin.store.scales import LikenessScales
from mess_plugin.store.session import DbSession
from mess_plugin.store.smart import SmartPlaylists
from mess_plugin.store.spaces import Spaces
from mess_plugin.store.tags import HeardTags
from mess_plugin.store.verdicts import Verdicts


class Store:
    """One connection, grouped by what it is about. Not for sharing between threads."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._session = session = DbSession(connection)
        self.files = Files(session)
        self.jobs = Jobs(session)
        self.library = Library(session)
        self.spaces = Spaces(session)
        self.embeddings = Embeddings(session)
        self.dispatch = Dispatch(session)
        self.workers = Workers(session)
        self.inbox = Inbox(session)
        self.hosts = Hosts(session)
        self.smart = SmartPlaylists(session)
        self.roots = Roots(session)
        self.health = Health(session)
        self.recipes = RecipeChoices(session)
        self.facets = Facets(session)
        self.filters = Filtering(session)
        self.verdicts = Verdicts(session)
        self.never = NeverRules(session)
        self.scales = LikenessScales(session)
        self.tags = HeardTags(session)
        self.duplicates = Duplicates(session)
        self.metrics = Metrics(session)
        self.archive = Archive(session, self.spaces)
        self.waveforms = Waveforms(session)
        self.lyrics = LyricsStore(session)

    def transaction(self) -> AbstractContextManager[psycopg.Transaction]:
        """All or nothing; outside of it every statement is its own transaction."""
        return self._session.connection.transaction()

    def server_versions(self) -> tuple[str, str]:
        """Versions of Postgres and of pgvector."""
        (pgvector,) = self._session.row("installed_pgvector")
        version = self._session.connection.info.server_version
        return f"{version // 10000}.{version % 10000}", pgvector


@contextmanager
def open_store(database_url: str) -> Iterator[Store]:
    """Connect, bring the schema up to date, and close at the end.

    Whatever psycopg raises inside becomes a StoreError with one line that says what to do.
    """
    try:
        with connect(database_url) as connection:
            yield Store(connection)
    except psycopg.Error as error:
        raise translated(error, database_url) from error
