"""How much of the memory the embedded database takes for its cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from mess_plugin.embedded.memory import memory_bytes
from mess_plugin.embedded.postgres import LEAST_BUFFERS_MB, MOST_BUFFERS_MB, buffers_mb


@pytest.mark.parametrize(
    ("memory_gib", "expected"),
    [(0.25, LEAST_BUFFERS_MB), (4, 512), (8, 1024), (64, MOST_BUFFERS_MB)],
)
def test_the_cache_grows_with_the_memory(memory_gib: float, expected: int) -> None:
    assert buffers_mb(int(memory_gib * 2**30)) == expected


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    whole = memory_bytes((limit,))
    assert whole > 2**28
    limit.write_text("268435456\n")
    assert memory_bytes((limit,)) == 2**28
    limit.write_text("max\n")
    assert memory_bytes((limit,)) == whole
