"""Results side by side."""

from __future__ import annotations

import json

import numpy as np

from mess_plugin.evaluation import report
from mess_plugin.evaluation.tasks import TaskResult

GROUPS = ("a", "a", "b", "c")
RESULTS = {
    "old": [TaskResult("album", {"MAP": np.array([0.1, 0.2, 0.3, 0.4])}, GROUPS)],
    "new": [
        TaskResult("album", {"MAP": np.array([0.3, 0.4, 0.5, 0.6])}, GROUPS),
        TaskResult("section", {"start error": np.full(4, np.nan)}, GROUPS),
    ],
}


def test_table_has_a_column_per_system() -> None:
    header, album, section = report.table(RESULTS)
    assert header == ["task", "measure", "old", "new"]
    assert album[:2] == ["album", "MAP"]
    assert album[2].startswith("0.250 [0.1")
    assert album[3].startswith("0.450 [0.3")
    assert section == ["section", "start error", "", "none"]


def test_differences_are_paired_and_starred() -> None:
    header, row = report.differences(RESULTS, "old")
    assert header == ["task", "measure", "new - old"]
    assert row == ["album", "MAP", "+0.200 [+0.200, +0.200]*"]


def test_json_has_null_where_nothing_is_defined() -> None:
    document = json.loads(json.dumps(report.as_json(RESULTS), allow_nan=False))
    assert document["old"]["album"]["MAP"]["value"] == 0.25
    assert document["old"]["album"]["MAP"]["n_queries"] == 4
    assert document["new"]["section"]["start error"] == {
        "value": None,
        "low": None,
        "high": None,
        "n_queries": 0,
    }


def test_markdown_is_aligned() -> None:
    lines = report.markdown(report.table(RESULTS)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert set(lines[1]) == {"|", "-"}
