"""Fixtures that several modules of these tests share."""

from tests.jellyfin_bench import both, fake, fake12, one
from tests.osc_library import osc_address, osc_client, osc_settings, osc_url

__all__ = [
    "both", "fake", "fake12", "one", "osc_address", "osc_client", "osc_settings", "osc_url",
]  # fmt: skip
