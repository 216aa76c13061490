"""`python -m mess_integrations.jellyfin`: follows the linked servers, as `mess up` runs it."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from mess_integrations.jellyfin.accounts import JellyfinLink, links_file, load
from mess_integrations.jellyfin.api import JellyfinAccount, accepted_accounts, by_server
from mess_integrations.jellyfin.follower import Follower
from mess_plugin.cli.output import say
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError, StoreError
from mess_plugin.logs import log_to_stderr
from mess_plugin.readiness import announce_ready
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store

log = logging.getLogger("mess_integrations.jellyfin")

_LOOK_S = 2.0
_TROUBLE_S = (2.0, 60.0)  # waited after trouble: at first and at most, doubling


class _Backoff:
    """Logs each failure once, and doubles the wait while it lasts."""

    def __init__(self) -> None:
        self.wait_s = _TROUBLE_S[0]
        self.until_s = 0.0
        self._said = ""

    def begin(self, error: MessError) -> None:
        if str(error) != self._said:
            self._said = str(error)
            log.warning("%s; trying again", self._said)
        self.until_s = monotonic() + self.wait_s
        self.wait_s = min(2 * self.wait_s, _TROUBLE_S[1])

    def end(self) -> None:
        if self._said:
            log.info("it works again")
        self._said, self.wait_s = "", _TROUBLE_S[0]


class _ServerFollower:
    """The users of one server; a server that is down does not hold up the others."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        accounts: Sequence[JellyfinAccount],
        links: Sequence[JellyfinLink],
    ) -> None:
        self._store, self._settings = store, settings
        self._accounts, self._links = accounts, links
        self._follower: Follower | None = None
        self._trouble = _Backoff()

    def tick(self) -> None:
        """Raises StoreError, which stops all servers."""
        if monotonic() < self._trouble.until_s:
            return
        try:
            if self._follower is None:
                accepted = accepted_accounts(self._accounts, _refused)
                self._follower = Follower(self._store, self._settings, accepted, self._links)
            self._follower.tick()
        except StoreError:
            raise
        except MessError as error:
            self._follower = None
            self._trouble.begin(error)
        else:
            self._trouble.end()


def _refused(account: JellyfinAccount) -> None:
    log.warning(
        "%s is not accepted any more: run `mess jellyfin link %s` as this user",
        account.link.address, account.link.url,
    )  # fmt: skip


def main() -> None:
    """Follow until a signal comes; where a server is down, wait for it and log that once."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        wanted = load_settings()
        log_to_stderr(wanted.log_format)
        with connected(wanted) as settings:
            _follow(settings, stop)
    except MessError as error:
        say(f"mess: {error}")
        sys.exit(error.exit_code)


def _follow(settings: Settings, stop: threading.Event) -> None:
    trouble = _Backoff()
    while not stop.is_set():
        try:
            with open_store(settings.database_url or "") as store:
                _follow_linked(store, settings, stop, trouble)
        except MessError as error:
            trouble.begin(error)
            stop.wait(trouble.until_s - monotonic())


def _follow_linked(
    store: Store, settings: Settings, stop: threading.Event, trouble: _Backoff
) -> None:
    """Follow all servers until somebody is linked or unlinked."""
    written = _written(settings.home)
    links = load(settings.home)
    accounts = [JellyfinAccount.of(one) for one in links]
    servers = [_ServerFollower(store, settings, group, links) for group in by_server(accounts)]
    announce_ready(", ".join(sorted({one.url for one in links})) or "nobody is linked")
    try:
        while not stop.wait(_LOOK_S) and _written(settings.home) == written:
            for server in servers:
                server.tick()
            trouble.end()
    finally:
        for account in accounts:
            account.api.close()


def _written(home: Path) -> int:
    try:
        return links_file(home).stat().st_mtime_ns
    except OSError:
        return 0


if __name__ == "__main__":
    main()
