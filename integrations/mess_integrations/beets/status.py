"""How far MESS is with a beets library, for people."""

from __future__ import annotations

from collections.abc import Sequence

from mess_integrations.beets.delivery import is_up
from mess_integrations.beets.session import opened
from mess_plugin.config import Settings
from mess_plugin.library import spool


def describe(settings: Settings, paths: Sequence[str]) -> list[str]:
    """A few lines: indexed, waiting, failed, unknown. Raises MessError."""
    n_waiting = spool.count(settings.home)
    up = is_up(settings)
    with opened(settings) as (_, store):
        indexed, failed, unknown = store.files.count_paths(paths)
    lines = [f"{indexed} of {len(paths)} tracks indexed with MESS at {settings.home}"]
    in_work = len(paths) - indexed - failed - unknown
    if in_work:
        lines.append(f"{in_work} waiting to be heard")
    if failed:
        lines.append(f"{failed} could not be indexed: see `mess failures`")
    if unknown:
        lines.append(f"{unknown} unknown to MESS: run `beet mess index`")
    if n_waiting:
        lines.append(f"{n_waiting} change{'s' * (n_waiting != 1)} waited until now")
    if not up:
        lines.append(
            "MESS is not up: changes wait until it is asked something (`mess up` keeps it)"
        )
    return lines
