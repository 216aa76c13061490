"""Whose an account of a player is: what it did counts for one listener, or for nobody.

An account that nobody joined is a listener of its own name (`evidence.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.search.query import check_listener
from mess_plugin.store import Store
from mess_plugin.store.hosts import normalise_id
from mess_plugin.store.verdicts import ListenerAccount


def join(store: Store, listener: str, name: str) -> None:
    """Let what the accounts of a name do and did count for a listener. Raises UnknownName."""
    check_listener(listener)
    for one in _named(store, name):
        store.verdicts.join(listener, one.source, one.account)


def leave(store: Store, name: str) -> None:
    """Let what the accounts of a name do count for nobody. Raises UnknownName, UsageError."""
    left = [store.verdicts.leave(one.source, one.account) for one in _named(store, name)]
    if not any(left):
        raise UsageError(f"account {name!r} is nobody's")


def accounts_document(accounts: Sequence[ListenerAccount]) -> list[dict[str, object]]:
    """What `mess taste accounts --json` prints."""
    return [
        {"source": a.source, "account": a.account, "n_acts": a.n_acts, "listener": a.listener}
        for a in accounts
    ]


def _named(store: Store, name: str) -> list[ListenerAccount]:
    """Accounts of a name, which Jellyfin also writes with dashes and in capitals."""
    known = store.verdicts.accounts()
    plain = normalise_id(name)
    found = [one for one in known if one.account == plain]
    found = found or [one for one in known if one.account == name]
    if not found:
        raise UnknownName("account", name, [one.account for one in known])
    return found
