"""Modules that need torch are left out, by name, where it is not installed, as on the newest Python."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

_NEEDS_TORCH = re.compile(r"^(import torch|from tests(\.| import )mert_checkpoint)", re.MULTILINE)

collect_ignore = [
    module.name
    for module in sorted(Path(__file__).parent.glob("test_*.py"))
    if find_spec("torch") is None and _NEEDS_TORCH.search(module.read_text(encoding="utf-8"))
]


def pytest_report_header() -> str | None:
    """Say what was left out."""
    return (
        f"left out, as torch is not installed: {', '.join(collect_ignore)}"
        if collect_ignore
        else None
    )
