"""A library in one file: what the database holds, and the files of a home that somebody wrote.

The file is a ZIP archive:

    manifest.json     what it is, of which version, and how many rows each table has
    tables/NAME       a table, in the binary form of COPY
    home/NAME         a file of the home

The music is no part of it, nor is what can be downloaded again. It holds the home's token and other
secrets: it is made for its owner alone, and should stay so.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from mess_plugin.atomic_file import replacing
from mess_plugin.errors import UsageError
from mess_plugin.private_folder import make_private
from mess_plugin.store import Store
from mess_plugin.store.archive import Blocks

FORMAT = 1
_FILES = ("config.toml", "token", "jellyfin.json", "playlists.toml")
_FOLDERS = ("undo",)
_BLOCK = 1 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, KeyError, EOFError)
"""What reading a damaged archive raises."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is."""

    format: int
    made_by: str
    """The version of MESS."""
    made_at: str
    """ISO 8601."""
    migration: int
    """The last migration that the database had."""
    with_vectors: bool
    """Whether what was heard is in it; else the music must be heard again."""
    rows: dict[str, int]
    """By table."""
    indexes: list[str]
    """Approximate indexes, to be built again."""
    files: list[str]
    """Files of the home, as paths in it."""


def backup(
    store: Store, home: Path, file: Path, *, vectors: bool, show: Callable[[str], None]
) -> Manifest:
    """Write a library to a file, whoever works on it meanwhile; an old file stays until it is whole.

    show: called with the name of each part. Raises OSError and StoreError.
    """
    with (
        replacing(file, mode=0o600) as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):

        def write(table: str, blocks: Blocks) -> None:
            show(table)
            with archive.open(f"tables/{table}", "w", force_zip64=True) as part:
                for block in blocks:
                    part.write(block)

        rows = store.archive.copy_out(write, vectors=vectors)
        files = list(_files_of(home))
        for path in files:
            archive.write(home / path, f"home/{path}")
        manifest = Manifest(
            format=FORMAT,
            made_by=version("mess-plugin"),
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            migration=store.archive.migration(),
            with_vectors=vectors,
            rows=rows,
            indexes=store.archive.indexes() if vectors else [],
            files=[str(path) for path in files],
        )
        archive.writestr("manifest.json", msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What a backup says of itself. Raises OSError, and UsageError where it is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = msgspec.json.decode(archive.read("manifest.json"), type=Manifest)
    except (*_DAMAGE, msgspec.DecodeError) as error:
        raise UsageError(f"{file} is no backup of MESS, or a damaged one ({error})") from error
    if manifest.format != FORMAT:
        raise UsageError(
            f"{file} has format {manifest.format} and was made by MESS {manifest.made_by}: "
            "restore it with that version"
        )
    return manifest


def restore_files(file: Path, home: Path, *, replace: bool) -> list[str]:
    """Put the files of the home back, those that are there only where asked for; which ones."""
    manifest, restored = read_manifest(file), []
    with zipfile.ZipFile(file) as archive:
        for name in manifest.files:
            target = home / name
            if not _is_ours(Path(name)) or (target.exists() and not replace):
                continue
            make_private(target.parent)
            with (
                replacing(target, mode=0o600) as draft,
                archive.open(f"home/{name}") as source,
                draft.open("wb") as sink,
            ):
                shutil.copyfileobj(source, sink)
            restored.append(name)
    return restored


def restore_database(
    store: Store, file: Path, *, replace: bool, show: Callable[[str], None]
) -> Manifest:
    """Put everything of a database back, or nothing. Raises UsageError where it is not empty."""
    manifest = read_manifest(file)
    if not replace and not store.archive.is_empty():
        raise UsageError(
            "the library is not empty: --replace deletes what it holds and puts the backup in its "
            "place"
        )
    try:
        with zipfile.ZipFile(file) as archive:

            def read(table: str) -> Iterator[bytes]:
                show(table)
                with archive.open(f"tables/{table}") as part:
                    while block := part.read(_BLOCK):
                        yield block

            store.archive.copy_in(manifest.migration, manifest.rows, read, manifest.indexes)
    except _DAMAGE as error:
        raise UsageError(f"{file} is damaged, and nothing was changed ({error})") from error
    return manifest


def _files_of(home: Path) -> Iterator[Path]:
    """Paths in the home of files that people, or we for them, wrote there."""
    for name in _FILES:
        if (home / name).is_file():
            yield Path(name)
    for folder in _FOLDERS:
        for path in sorted((home / folder).glob("*")):
            if path.is_file():
                yield path.relative_to(home)


def _is_ours(path: Path) -> bool:
    """Whether a path in an archive, which anybody may have made, is one that we put there."""
    return str(path) in _FILES or (path.parent.name in _FOLDERS and len(path.parts) == 2)
