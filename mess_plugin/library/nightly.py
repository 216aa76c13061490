"""When the nightly work is due: folders are walked, and a media server's list is read."""

from __future__ import annotations

from datetime import datetime, timedelta

NIGHT_HOUR = 3
"""The hour of local time."""


def next_night(now: datetime) -> datetime:
    """The first time after now."""
    tonight = _tonight(now)
    return tonight if tonight > now else tonight + timedelta(days=1)


def last_night(now: datetime) -> datetime:
    """The last time up to now."""
    tonight = _tonight(now)
    return tonight if tonight <= now else tonight - timedelta(days=1)


def _tonight(now: datetime) -> datetime:
    return now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
