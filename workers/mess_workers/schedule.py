"""Hours of the day in which work is handed out."""

from __future__ import annotations

import re
from datetime import datetime, time

from mess_plugin.errors import ConfigError

_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


def is_open(hours: str | None, now: datetime) -> bool:
    """Whether a time of day lies in hours such as "22:00-06:30"; None: always.

    The hours may pass midnight; the same time twice means the whole day. Raises ConfigError.
    """
    if hours is None:
        return True
    opens, closes = _parse(hours)
    at = now.time()
    if opens < closes:
        return opens <= at < closes
    return at >= opens or at < closes


def _parse(hours: str) -> tuple[time, time]:
    match = _HOURS.fullmatch(hours)
    try:
        if match:
            h1, m1, h2, m2 = map(int, match.groups())
            return time(h1, m1), time(h2, m2)
    except ValueError:
        pass
    raise ConfigError("index_hours", hours, 'wanted two times of day, such as "22:00-06:30"')
