"""The embedded services: Postgres and Valkey from wheels, under a supervisor of our own.

`lease` is for a command that needs them while it runs, `up` and `down` for a house that stays open.

    with lease(home) as held:
        psycopg.connect(held.endpoints.database_url)

Each home has at most one supervisor, a small detached process that starts servers when they are
first needed, restarts those that die, and ends when no lease and no pin is left. Everything listens
on Unix sockets in private directories: nothing is reachable from the network or by other users.
"""

from mess_plugin.embedded import unit
from mess_plugin.embedded.client import Endpoints, Lease, down, lease, pin, up
from mess_plugin.embedded.client import current_state as state
from mess_plugin.embedded.program import Program
from mess_plugin.embedded.states import HomeState, ServiceState

__all__ = [
    "Endpoints",
    "HomeState",
    "Lease",
    "Program",
    "ServiceState",
    "down",
    "lease",
    "pin",
    "state",
    "unit",
    "up",
]
