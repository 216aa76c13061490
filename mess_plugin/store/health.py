"""What background services say of themselves: when they began, and what went wrong last."""

from __future__ import annotations

from datetime import datetime

import msgspec

from mess_plugin.store.paths import storable
from mess_plugin.store.session import DbSession


class ServiceHealth(msgspec.Struct, frozen=True):
    """One service on one machine."""

    service: str
    """"watcher", "dispatcher", "worker" or "maintenance"."""
    host: str
    n_starts: int
    """Starts in a row that no orderly end came between, each within ten minutes of the one before."""
    n_failures: int
    """Failures in a row, each within ten minutes of the one before."""
    last_error: str | None
    failed_at: datetime | None
    is_failing: bool
    """It keeps failing or restarting just now."""

    @property
    def problem(self) -> str:
        """One line about what goes wrong, "" where nothing does."""
        if not self.is_failing:
            return ""
        what = (
            f"restarted {self.n_starts} times"
            if self.n_starts > self.n_failures
            else f"failed {self.n_failures} times"
        )
        last = f", last with: {self.last_error}" if self.last_error else ""
        return f"the {self.service} on {self.host} {what}{last}"


class Health:
    """What services report."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def started(self, service: str, host: str) -> None:
        """A service began."""
        self._session.execute("report_start", service=service, host=host)

    def stopped(self, service: str, host: str) -> None:
        """It ended in order."""
        self._session.execute("report_stop", service=service, host=host)

    def failed(self, service: str, host: str, error: str) -> None:
        """Something ended it, or the round that it was at."""
        self._session.execute(
            "report_failure", service=service, host=host, error=storable(error[:1000])
        )

    def all(self) -> list[ServiceHealth]:
        """Every service that ever reported within the last day."""
        return [ServiceHealth(*row) for row in self._session.rows("list_health")]
