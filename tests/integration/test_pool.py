"""The connections that the threads of a server share."""

from __future__ import annotations

import pytest

from mess_plugin.errors import StoreError
from mess_plugin.store.pool import StorePool


def test_no_statement_runs_for_ever(database_url: str) -> None:
    pool = StorePool(database_url, most=1, statement_s=0.2)
    try:
        with (
            pytest.raises(StoreError, match="took too long for one statement"),
            pool.use() as store,
        ):
            store._session.connection.execute("SELECT pg_sleep(60)")
        with pool.use() as store:  # the connection is fit for the next question
            assert store.library.count()[0] == 0
    finally:
        pool.close()
