"""`python -m mess_integrations.jellyfin`: follows the linked Jellyfin, as `mess up` runs it."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from mess_integrations.jellyfin import link
from mess_integrations.jellyfin.following import Follower
from mess_integrations.jellyfin.host import Host
from mess_plugin.cli.output import say
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError
from mess_plugin.services import connected
from mess_plugin.store import open_store

log = logging.getLogger("mess_integrations.jellyfin")

_LOOK_S = 2.0
_TROUBLE_S = (2.0, 60.0)  # waited after trouble: at first and at most, doubling


def main() -> None:
    """Follow until told to stop; where a server is away, wait for it and say so once."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with connected(load_settings()) as settings:
            _follow(settings, stop)
    except MessError as error:
        say(f"mess: {error}")
        sys.exit(error.exit_code)


def _follow(settings: Settings, stop: threading.Event) -> None:
    said, wait_s = "", _TROUBLE_S[0]
    while not stop.is_set():
        try:
            with open_store(settings.database_url or "") as store:
                account = link.load(settings.home)
                host = Host.of(account)
                follower = Follower(store, settings, host, account)
                try:
                    while not stop.wait(_LOOK_S):
                        follower.tick()
                        if said:
                            log.info("it works again")
                        said, wait_s = "", _TROUBLE_S[0]
                finally:
                    host.close()
        except MessError as error:
            if str(error) != said:
                said = str(error)
                log.warning("%s; trying again", said)
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, _TROUBLE_S[1])


if __name__ == "__main__":
    main()
