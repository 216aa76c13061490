"""A library in one file: of one moment, complete, and back as a whole or not at all."""

from __future__ import annotations

import itertools
import stat
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from mess_plugin.cli.backup import backup as backup_command
from mess_plugin.cli.backup import restore as restore_command
from mess_plugin.cli.backup import upgrade as upgrade_command
from mess_plugin.embedded import Endpoints, down, lease
from mess_plugin.embedded.binaries import postgres_program
from mess_plugin.errors import ServiceError, StoreError, UsageError
from mess_plugin.library.backup import (
    backup,
    read_manifest,
    restore_database,
    restore_files,
)
from mess_plugin.library.upgrade import move_cluster
from mess_plugin.model import Level
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.spaces.refit import refit
from mess_plugin.store import Store, open_store
from mess_plugin.store.archive import Archive
from mess_plugin.store.migrate import migrate, migrations
from mess_plugin.store.session import DbSession
from mess_plugin.store.spaces import Spaces
from tests.event_tools import write_songs
from tests.steering_library import index_files, settings_for

_databases = itertools.count()


def quiet(_: str) -> None:
    """Nothing is shown."""


@pytest.fixture
def empty_url(postgres_server: Endpoints) -> Iterator[str]:
    """Another database, without any schema."""
    name = f"mess_restored_{next(_databases)}"
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres_server.database_url.replace("/mess?", f"/{name}?", 1)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def library(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """Heard music with an index, verdicts, a link, a play and an account."""
    settings = settings_for(database_url, tmp_path / "home")
    with open_store(database_url) as store:
        index_files(store, settings, write_songs(tmp_path / "music", 4))
        refit(store, str(Recipe.of(settings)))
        (space, _), *_ = store.spaces.all()
        store.spaces.create_indexes(space, [Level.SONG])
        one, other, *_ = store.library.after(0, 10)
        connection = store._session.connection
        connection.execute(
            "INSERT INTO verdicts (listener, seed_id, track_id, verdict)"
            " VALUES ('ann', %s, %s, 'like')",
            [one, other],
        )
        connection.execute(
            "INSERT INTO duplicates (one_id, other_id, kind, state)"
            " VALUES (%s, %s, 'same', 'confirmed')",
            [one, other],
        )
        connection.execute(
            "INSERT INTO feedback (source, digest, item, track_id, kind, happened_at)"
            " VALUES ('jellyfin', 'x', 'i', %s, 'play', now())",
            [one],
        )
        connection.execute("INSERT INTO listener_accounts VALUES ('jellyfin', 'a', 'ann')")
        yield store


def content(url: str) -> dict[str, list[Any]]:
    """Every row of every table, but who works and which migrations were recorded when."""
    with psycopg.connect(url) as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename NOT IN ('migrations', 'workers') ORDER BY 1"
            )
        ]
        return {
            name: sorted(
                str(row)
                for row in connection.execute(
                    sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name))
                )
            )
            for name in tables
        }


def indexes(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        query = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
        return connection.execute(query).fetchall()


def test_everything_comes_back(
    library: Store, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "library.mess"
    made = backup(library, tmp_path / "home", file, vectors=True, show=quiet)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.rows["tracks"] == 4
    with open_store(empty_url) as restored:
        restore_database(restored, file, replace=False, show=quiet)
    assert content(empty_url) == content(database_url)
    assert indexes(empty_url) == indexes(database_url)
    assert any("hnsw" in str(row) and "space" in str(row) for row in indexes(empty_url))
    with open_store(empty_url) as restored:  # numbers go on behind the highest one
        ids = restored.library.after(0, 10)
        assert restored.library.save("new", 1.0, None) == max(ids) + 1


def test_a_backup_is_of_one_moment(library: Store, database_url: str, tmp_path: Path) -> None:
    """Tracks and their files arrive together, in one transaction, all the time."""
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(database_url) as connection:
            while not stop.is_set():
                with connection.transaction():
                    number = next(_databases)
                    connection.execute(
                        "WITH t AS (INSERT INTO tracks (identity, duration_s)"
                        " VALUES (%s, 1) RETURNING id)"
                        " INSERT INTO files (path, size_bytes, mtime_ns, track_id)"
                        " SELECT %s, 1, 1, id FROM t",
                        [f"made {number}", f"/made/{number}".encode()],
                    )

    writing = threading.Thread(target=write)
    writing.start()
    try:
        counts = [
            backup(library, tmp_path, tmp_path / "f", vectors=True, show=quiet).rows
            for _ in range(5)
        ]
    finally:
        stop.set()
        writing.join()
    assert len({rows["tracks"] for rows in counts}) > 1
    assert all(rows["tracks"] == rows["files"] for rows in counts)


def test_without_vectors_the_music_is_heard_again(
    library: Store, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "small"
    full = backup(library, tmp_path, tmp_path / "full", vectors=True, show=quiet)
    small = backup(library, tmp_path, file, vectors=False, show=quiet)
    assert "embeddings" in full.rows
    assert "embeddings" not in small.rows
    with open_store(empty_url) as restored:
        restore_database(restored, file, replace=False, show=quiet)
        before, after = content(database_url), content(empty_url)
        for table in ("tracks", "files", "verdicts", "duplicates", "feedback", "listener_accounts"):
            assert after[table] == before[table], table
        settings = settings_for(empty_url, tmp_path / "home")
        paths = sorted((tmp_path / "music").iterdir())
        index_files(restored, settings, paths)
        assert restored.jobs.count_jobs()[str(Recipe.of(settings))] == {"done": len(paths)}
        assert restored.library.count()[0] == len(paths)


def test_what_is_there_is_kept_unless_it_is_to_go(library: Store, tmp_path: Path) -> None:
    file = tmp_path / "f"
    backup(library, tmp_path, file, vectors=True, show=quiet)
    library.library.save("later", 1.0, None)
    with pytest.raises(UsageError, match="--replace"):
        restore_database(library, file, replace=False, show=quiet)
    assert library.library.find_identity("later") is not None
    with open_store(library_url := _url(library)) as restored:
        restore_database(restored, file, replace=True, show=quiet)
    with open_store(library_url) as restored:
        assert restored.library.find_identity("later") is None


def _url(store: Store) -> str:
    info = store._session.connection.info
    return f"postgresql://mess@/{info.dbname}?host={info.host}"


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing", "fewer", "other"])
def test_a_damaged_backup_changes_nothing(
    library: Store, empty_url: str, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "f"
    backup(library, tmp_path, file, vectors=True, show=quiet)
    data = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        with zipfile.ZipFile(file) as archive:
            offset = archive.getinfo("tables/embeddings").header_offset
        data[offset + 300] ^= 0xFF
        file.write_bytes(data)
    elif damage == "other":
        file.write_text("something else")
    else:
        old = zipfile.ZipFile(file)
        with zipfile.ZipFile(tmp_path / "g", "w") as new:
            for name in old.namelist():
                text = old.read(name)
                if name == "manifest.json" and damage == "fewer":
                    document = msgspec.json.decode(text)
                    document["rows"]["tracks"] += 1
                    text = msgspec.json.encode(document)
                if name != "tables/files" or damage == "fewer":
                    new.writestr(name, text)
        file = tmp_path / "g"
    with open_store(empty_url) as restored:
        restored.library.save("mine", 1.0, None)
    before = content(empty_url)
    with open_store(empty_url) as restored, pytest.raises((UsageError, StoreError)) as caught:
        restore_database(restored, file, replace=True, show=quiet)
    assert "\n" not in str(caught.value)
    assert content(empty_url) == before


def test_a_backup_of_an_older_mess_is_brought_up_to_date(
    postgres_server: Endpoints, empty_url: str
) -> None:
    with psycopg.connect(postgres_server.database_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE mess_older")
        url = postgres_server.database_url.replace("/mess?", "/mess_older?", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            migrate(connection, up_to=15)
            connection.execute("INSERT INTO tracks (identity, duration_s) VALUES ('i', 1)")
            connection.execute(
                "INSERT INTO files (path, size_bytes, mtime_ns, track_id, artist)"
                " VALUES ('a', 1, 1, 1, 'Björk')"
            )
            session = DbSession(connection)
            found: dict[str, bytes] = {}
            archive = Archive(session, Spaces(session))
            rows = archive.copy_out(
                lambda name, blocks: found.update({name: b"".join(map(bytes, blocks))}),
                vectors=True,
            )
            assert archive.migration() == 15
        admin.execute("DROP DATABASE mess_older WITH (FORCE)")
    with open_store(empty_url) as restored:
        restored.archive.copy_in(15, rows, lambda table: [found[table]], [])
    with open_store(empty_url) as restored:
        assert restored.archive.migration() == migrations()[-1].number
        assert restored.library.find_identity("i") == 1
        connection = restored._session.connection
        assert connection.execute("SELECT artist_words FROM files").fetchone() == ("bjork",)
        newer = migrations()[-1].number + 1
        with pytest.raises(StoreError, match="made by a newer MESS"):
            restored.archive.copy_in(newer, {}, lambda _: [], [])


def test_the_files_of_a_home_come_back(library: Store, tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    (home / "undo").mkdir(parents=True)
    for name in ("config.toml", "token", "undo/tags-1.jsonl", "id", "state.json"):
        (home / name).write_text(name)
    file = tmp_path / "f"
    backup(library, home, file, vectors=False, show=quiet)
    other.mkdir()
    (other / "token").write_text("mine")
    assert restore_files(file, other, replace=False) == ["config.toml", "undo/tags-1.jsonl"]
    assert (other / "token").read_text() == "mine"
    assert stat.S_IMODE((other / "config.toml").stat().st_mode) == 0o600
    assert "token" in restore_files(file, other, replace=True)
    assert (other / "token").read_text() == "token"
    assert sorted(path.name for path in other.iterdir()) == ["config.toml", "token", "undo"]


def test_a_file_that_somebody_made_writes_nothing_elsewhere(library: Store, tmp_path: Path) -> None:
    file, evil = tmp_path / "f", "../../outside"
    made = backup(library, tmp_path, file, vectors=False, show=quiet)
    changed = msgspec.structs.replace(made, files=[evil, "undo/../../x", "run/pinned.json"])
    with zipfile.ZipFile(tmp_path / "g", "w") as archive:
        archive.writestr("manifest.json", msgspec.json.encode(changed))
        for name in changed.files:
            archive.writestr(f"home/{name}", "x")
    home = tmp_path / "deep" / "home"
    assert restore_files(tmp_path / "g", home, replace=True) == []
    assert not home.exists()


def test_a_cluster_is_moved_by_the_programs_that_made_it(
    embedded_home: Path, tmp_path: Path
) -> None:
    """Both are of one version here: there is no wheel of another major yet."""
    programs = tmp_path / "old"
    programs.symlink_to(postgres_program("postgres").parents[1])
    with lease(embedded_home) as held, open_store(held.endpoints.database_url) as store:
        store.library.save("kept", 1.0, None)
    kept = move_cluster(embedded_home, programs, "17")
    assert (kept / "PG_VERSION").is_file()
    assert not (embedded_home / "upgrade").exists()
    with lease(embedded_home) as held, open_store(held.endpoints.database_url) as store:
        assert store.library.find_identity("kept") is not None
    down(embedded_home)


def test_a_cluster_of_another_version_names_the_remedy(
    embedded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESS_HOME", str(embedded_home))
    done = CliRunner().invoke(upgrade_command, catch_exceptions=False)
    assert "nothing to do" in done.output
    (embedded_home / "postgres" / "PG_VERSION").write_text("11\n")
    with pytest.raises(ServiceError, match=r"made by Postgres 11 .* run `mess upgrade`"):
        lease(embedded_home, timeout_s=60)
    down(embedded_home)
    with pytest.raises(ServiceError):  # nothing there is Postgres 11
        CliRunner().invoke(upgrade_command, ["--old", "/nowhere"], catch_exceptions=False)
    assert (embedded_home / "postgres").is_dir()


def test_a_damaged_database_says_restore(embedded_home: Path) -> None:
    control = embedded_home / "postgres" / "global" / "pg_control"
    control.write_bytes(bytes(control.stat().st_size))
    with pytest.raises(ServiceError, match=r"is damaged: .* `mess restore FILE`"):
        lease(embedded_home, timeout_s=60)
    down(embedded_home)


def test_a_damaged_table_says_restore(embedded_home: Path) -> None:
    with lease(embedded_home) as held, open_store(held.endpoints.database_url) as store:
        connection = store._session.connection
        connection.execute("INSERT INTO tracks (identity, duration_s) VALUES ('x', 1)")
        row = connection.execute("SELECT pg_relation_filepath('tracks')").fetchone()
        assert row is not None
    down(embedded_home)
    table = embedded_home / "postgres" / row[0]
    table.write_bytes(b"\xff" * table.stat().st_size)
    with (
        pytest.raises(StoreError, match=r"damaged .*`mess restore FILE`"),
        lease(embedded_home) as held,
        open_store(held.endpoints.database_url) as store,
    ):
        store._session.connection.execute("SELECT * FROM tracks")
    down(embedded_home)


def test_the_commands_do_it_with_an_embedded_home(
    embedded_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "f"
    monkeypatch.setenv("MESS_HOME", str(embedded_home))
    with lease(embedded_home) as held, open_store(held.endpoints.database_url) as store:
        store.library.save("kept", 1.0, None)
        done = CliRunner().invoke(backup_command, [str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "mess restore" in done.output
    assert read_manifest(file).rows["tracks"] == 1
    with lease(embedded_home), pytest.raises(UsageError, match="mess down"):
        CliRunner().invoke(restore_command, [str(file)], catch_exceptions=False)
    monkeypatch.setenv("MESS_HOME", str(tmp_path / "new"))
    done = CliRunner().invoke(restore_command, [str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with lease(tmp_path / "new") as held, open_store(held.endpoints.database_url) as store:
        assert store.library.find_identity("kept") is not None
