"""The whole content of a database, table by table, and back into an empty one.

A copy is of one moment, however long it takes and whoever writes meanwhile. It is bound to a number of
migrations, not to a version of Postgres: tables travel in the binary form of COPY, whose types have
not changed between the versions that MESS knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter

from psycopg import sql

from mess_plugin.errors import StoreError
from mess_plugin.model import Level
from mess_plugin.store.migrate import migrate, migrations
from mess_plugin.store.session import DbSession
from mess_plugin.store.spaces import Spaces, index_name
from mess_plugin.store.statements import template

Blocks = Iterator[bytes | bytearray | memoryview]

_NEVER = frozenset({"migrations", "workers"})  # made anew; who works is another matter afterwards
_HEARD = frozenset(
    {
        "duplicate_searches", "embeddings", "facets", "jobs", "likeness_scales", "measures",
        "metrics", "projections", "space_heads", "spaces", "track_tags", "waveforms",
    }
)  # fmt: skip
_LOCK_WAIT_S = 10


class Archive:
    """Copies everything out of a database, or into it."""

    def __init__(self, session: DbSession, spaces: Spaces) -> None:
        self._session = session
        self._spaces = spaces

    def migration(self) -> int:
        """The number of the last migration that the schema has."""
        return max(int(row[0]) for row in self._session.rows("list_migrations"))

    def indexes(self) -> list[str]:
        """Names of the approximate indexes."""
        return [row[0] for row in self._session.rows("list_space_indexes")]

    def is_empty(self) -> bool:
        """Whether nothing would be lost."""
        return not any(self._count(table) for table in self._tables() if table not in _NEVER)

    def copy_out(self, write: Callable[[str, Blocks], None], *, vectors: bool) -> dict[str, int]:
        """Call `write` for each table with its data as of one moment; rows by table.

        vectors: also what was heard. Without it, the music must be heard again afterwards.
        """
        counts = {}
        with self._session.connection.transaction():
            self._session.execute("read_one_moment")
            for table in self._tables():
                if table in _NEVER or (table in _HEARD and not vectors):
                    continue
                counts[table] = self._count(table)
                write(table, self._blocks(table))
        return counts

    def copy_in(
        self,
        migration: int,
        counts: Mapping[str, int],
        read: Callable[[str], Iterable[bytes]],
        indexes: Sequence[str],
    ) -> None:
        """Replace everything by what `read` gives of each table: all of it, or nothing changes.

        migration, counts, indexes: of the database that it was copied from. Raises StoreError where
        that was newer than this MESS, where rows are missing, or where others use the database.
        """
        if migration > max(step.number for step in migrations()):
            raise StoreError(
                f"the backup has migration {migration}, which this MESS does not know: it was made "
                "by a newer MESS; upgrade this one"
            )
        with self._session.connection.transaction():
            self._session.rows("limit_lock_wait", wait_ms=str(_LOCK_WAIT_S * 1000))
            self._drop_all()
            migrate(self._session.connection, up_to=migration)
            for table in self._tables():
                if table in counts:
                    self._fill(table, read(table))
                    if (found := self._count(table)) != counts[table]:
                        raise StoreError(
                            f"the backup is damaged: {found} rows in {table}, not {counts[table]}"
                        )
            migrate(self._session.connection)
        for space, _ in self._spaces.all():
            levels = [level for level in Level if index_name(level, space.id) in indexes]
            self._spaces.create_indexes(space, levels)

    def _tables(self) -> list[str]:
        """Our tables, those that others refer to first."""
        order: TopologicalSorter[str] = TopologicalSorter()
        for (table,) in self._session.rows("list_tables"):
            order.add(table)
        for table, other in self._session.rows("list_references"):
            order.add(table, other)
        partitions = {f"{level.value}_embeddings" for level in Level}
        return [table for table in order.static_order() if table not in partitions]

    def _count(self, table: str) -> int:
        query = template("count_rows", table=sql.Identifier(table))
        row = self._session.connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def _blocks(self, table: str) -> Blocks:
        columns = [
            # Whoever works at a job now is nobody's worker afterwards.
            sql.SQL("NULL::integer")
            if (table, name) == ("jobs", "worker_id")
            else sql.Identifier(name)
            for name, _ in self._columns(table)
        ]
        query = template(
            "copy_table_out", columns=sql.SQL(", ").join(columns), table=sql.Identifier(table)
        )
        with self._session.connection.cursor().copy(query) as copy:
            yield from copy

    def _fill(self, table: str, blocks: Iterable[bytes]) -> None:
        columns = self._columns(table)
        names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
        query = template("copy_table_in", columns=names, table=sql.Identifier(table))
        with self._session.connection.cursor().copy(query) as copy:
            for block in blocks:
                copy.write(block)
        for name, counts_up in columns:
            if counts_up:
                query = template(
                    "go_on_counting", column=sql.Identifier(name), table=sql.Identifier(table)
                )
                self._session.connection.execute(query, {"table": table, "column": name})

    def _columns(self, table: str) -> list[tuple[str, bool]]:
        return [tuple(row) for row in self._session.rows("list_columns", table=table)]

    def _drop_all(self) -> None:
        for table in self._tables():
            query = template("drop_table", table=sql.Identifier(table))
            self._session.connection.execute(query)
        for (name,) in self._session.rows("list_types"):
            self._session.connection.execute(template("drop_type", type=sql.Identifier(name)))
