"""The HTTP service holds to its own description, whoever calls it and however.

schemathesis reads the served OpenAPI document and calls every endpoint with what the document allows
and with what it does not, over a real library. It takes a bounded number of examples; more are run by
`MESS_SCHEMATHESIS_EXAMPLES=200`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mess_plugin.store import open_store
from tests.event_tools import settings_for, write_songs
from tests.http_client import TOKEN, Client, Eventually, serving
from tests.osc_peer import index_files

EXAMPLES = os.environ.get("MESS_SCHEMATHESIS_EXAMPLES", "6")
BUDGET_S, MOST_S = "150", 500

CONFIGURATION = """
[checks]
# A schema cannot say that two options exclude each other or that a name names nothing: such questions
# are refused with 400, though every part of them is as described.
positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422]

[[operations]]
# A stream that otherwise ends when the client leaves, which is when a request takes too long.
include-path = "/v1/status/live"
parameters = { n = 1 }
"""


@pytest.fixture
def call(
    tmp_path: Path, database_url: str, valkey_url: str, eventually: Eventually
) -> Iterator[Client]:
    settings = settings_for(
        tmp_path / "home", database_url, valkey_url,
        watch=(str(tmp_path / "music"),), http_rate_hz=1e6,
    )  # fmt: skip
    with open_store(database_url) as store:
        index_files(store, settings, write_songs(tmp_path / "music", 3))
    yield from serving(settings, eventually)


@pytest.mark.timeout(MOST_S + 60)
def test_every_endpoint_does_what_its_description_says(call: Client, tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis", "--config-file", configuration,
            "run", f"{call.url}/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}",
            "--exclude-path", "/v1/status/live",  # it never ends; test_web_lists.py reads it
            "--max-examples", EXAMPLES, "--seed", "1", "--workers", "1", "--max-time", BUDGET_S,
            "--generation-database", "none", "--no-color", "--request-timeout", "60",
        ],
        capture_output=True, text=True, timeout=MOST_S, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
