"""One name, one thing: no two classes of the project are called alike."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("mess_plugin", "workers/mess_workers", "integrations")
SCRIPTS = {
    "osc-clients",
    "clients",
}  # of folders that hold programs for other hosts, each for itself


def test_class_names_are_unique() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for source in SOURCES:
        for file in sorted((ROOT / source).rglob("*.py")):
            if SCRIPTS & set(file.relative_to(ROOT).parts):
                continue
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(file.relative_to(ROOT)))
    assert "Settings" in places
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
