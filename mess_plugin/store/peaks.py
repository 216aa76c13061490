"""Waveforms, kept once they were looked at."""

from __future__ import annotations

import numpy as np

from mess_plugin.model import Peaks
from mess_plugin.store.session import DbSession


class Waveforms:
    """Peaks by track; 2 kB each."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def get(self, track_id: int) -> Peaks | None:
        """The peaks of a track, None where nobody has looked at it yet."""
        rows = self._session.rows("get_waveform", track_id=track_id)
        if not rows:
            return None
        duration_s, highest, level = rows[0]
        return Peaks(
            duration_s, np.frombuffer(highest, dtype=np.uint8), np.frombuffer(level, dtype=np.uint8)
        )

    def save(self, track_id: int, peaks: Peaks) -> None:
        """Keep the peaks of a track; nothing happens where the track is gone."""
        self._session.execute(
            "save_waveform",
            track_id=track_id,
            duration_s=peaks.duration_s,
            highest=peaks.highest.tobytes(),
            level=peaks.level.tobytes(),
        )
