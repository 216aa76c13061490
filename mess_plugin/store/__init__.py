"""Every read and write of Postgres. Rows become values here, and database errors become ours."""

from mess_plugin.store.store import Store, open_store

__all__ = ["Store", "open_store"]
