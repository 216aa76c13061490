"""Fixtures that several modules of these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mess_plugin.config import Settings
from mess_plugin.store import Store, open_store
from tests.event_tools import settings_for
from tests.jellyfin_bench import both, fake, fake12, one
from tests.osc_library import osc_address, osc_client, osc_settings, osc_url

__all__ = [
    "both", "fake", "fake12", "one", "osc_address", "osc_client", "osc_settings", "osc_url",
]  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    """A home of the test's own, with both servers; modules that want other settings have their own."""
    return settings_for(tmp_path / "home", database_url, valkey_url)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """The database of these settings."""
    with open_store(settings.database_url or "") as opened:
        yield opened


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """An empty folder for music."""
    folder = tmp_path / "music"
    folder.mkdir()
    return folder
