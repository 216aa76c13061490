"""Answering what other programs told us. Placeholder until the HTTP part."""

from __future__ import annotations

from mess_plugin.config import Settings
from mess_plugin.store import Store


def answer_events(store: Store, settings: Settings) -> int:
    return 0
