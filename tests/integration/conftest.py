"""Fixtures that several modules of these tests share."""

from tests.jellyfin_bench import both, fake, fake12, one

__all__ = ["both", "fake", "fake12", "one"]
