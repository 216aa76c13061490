"""Passing on what beets did: kept in a file at once, told to MESS if it is up.

Measured where this was decided: the file takes a millisecond; telling a database takes about half a
second of start-up (drivers, connection, queue), and more if it must be started first. So nothing is
started for it: what nobody takes now, the next command that opens MESS takes.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import Thread

from mess_plugin import embedded
from mess_plugin.config import Settings
from mess_plugin.errors import MessError
from mess_plugin.library import spool
from mess_plugin.library.spool import Changes


def deliver(settings: Settings, changes: Changes, limit_s: float) -> str | None:
    """Keep changes, and pass them on if MESS is up. Returns why it could not, None if all is well.

    It takes at most about `limit_s`. Raises OSError where not even the file can be written.
    """
    spool.keep(settings.home, changes)
    if not is_up(settings):
        return None
    return _within(limit_s, settings)


def is_up(settings: Settings) -> bool:
    """Whether MESS can be told something now without starting anything."""
    if settings.database_url is not None:
        return True
    running = embedded.state(settings.home)
    return running is not None and running.database_url is not None


def pass_on(settings: Settings) -> None:
    """Take what waits into the ledger and ask for the work. Raises MessError or OSError."""
    from mess_integrations.beets.session import opened  # noqa: PLC0415  loads the database driver

    with opened(settings):
        pass


def _within(limit_s: float, settings: Settings) -> str | None:
    """Pass on in a thread that is left behind when it takes too long: its writes are transactions."""
    outcome: SimpleQueue[str | None] = SimpleQueue()

    def work() -> None:
        try:
            pass_on(settings)
        except (MessError, OSError) as error:
            outcome.put(str(error))
        except Exception as error:  # noqa: BLE001  the border to the host: beets must come to its end
            outcome.put(f"unexpected {type(error).__name__}: {error}")
        else:
            outcome.put(None)

    Thread(target=work, name="mess", daemon=True).start()
    try:
        return outcome.get(timeout=limit_s)
    except Empty:
        return f"it did not answer within {limit_s:g} s"
