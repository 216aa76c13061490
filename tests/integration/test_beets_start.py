"""What `beet ls` loads with the plugin."""

from __future__ import annotations

import subprocess
import sys

from tests.beets_host import environment

HEAVY = {
    "av", "celery", "click", "kombu", "msgspec", "mess_plugin.model", "mess_plugin.search.engine",
    "mess_plugin.store", "mess_workers", "numpy", "pgvector", "psycopg", "redis", "rich", "torch",
    "transformers",
}  # fmt: skip


def test_the_plugin_loads_nothing_heavy() -> None:
    code = (
        "import sys, beetsplug.mess as plugin; plugin.MessPlugin().commands();print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "beetsplug.mess" in loaded
    assert not loaded & HEAVY


def test_the_plugin_shares_beets_namespace() -> None:
    code = "import beetsplug.mess, beetsplug.playlist, beetsplug; print(beetsplug.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "None", "an __init__.py would hide beets' own plugins"
