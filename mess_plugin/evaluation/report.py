"""Tables and JSON of evaluation results, several systems side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mess_plugin.evaluation.bootstrap import Estimate, bootstrap, paired_bootstrap
from mess_plugin.evaluation.tasks import TaskResult

Results = Mapping[str, Sequence[TaskResult]]
"""System (an encoder, a space, a setting) → its task results."""


def table(results: Results) -> list[list[str]]:
    """Lay out a header and a row per task and measure, a column per system: value [low, high].

    Measures that a system lacks are empty.
    """
    estimates = {system: _estimates(tasks) for system, tasks in results.items()}
    keys = list(dict.fromkeys(key for found in estimates.values() for key in found))
    header = ["task", "measure", *results]
    rows = [
        [*key, *(_cell(found[key]) if key in found else "" for found in estimates.values())]
        for key in keys
    ]
    return [header, *rows]


def differences(results: Results, baseline: str) -> list[list[str]]:
    """Each system minus the baseline with paired intervals; a star marks those without zero.

    Raises KeyError where there is no such baseline.
    """
    base = {task.task: task for task in results[baseline]}
    systems = [system for system in results if system != baseline]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for system in systems:
        for task in results[system]:
            for measure, values in task.measures.items():
                if task.task in base and measure in base[task.task].measures:
                    theirs = base[task.task].measures[measure]
                    found = paired_bootstrap(values, theirs, task.groups)
                    star = "*" if found.excludes_zero else ""
                    rows.setdefault((task.task, measure), {})[system] = _cell(found, "+") + star
    header = ["task", "measure", *(f"{system} - {baseline}" for system in systems)]
    return [header, *([*key, *(row.get(s, "") for s in systems)] for key, row in rows.items())]


def as_json(results: Results) -> dict[str, Any]:
    """System → task → measure → value, low, high (null where undefined) and n_queries."""
    return {
        system: {
            task.task: {
                measure: _json_estimate(bootstrap(values, task.groups))
                for measure, values in task.measures.items()
            }
            for task in tasks
        }
        for system, tasks in results.items()
    }


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Write a table as Markdown, columns aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in rows
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _estimates(tasks: Sequence[TaskResult]) -> dict[tuple[str, str], Estimate]:
    return {
        (task.task, measure): bootstrap(values, task.groups)
        for task in tasks
        for measure, values in task.measures.items()
    }


def _cell(estimate: Estimate, sign: str = "") -> str:
    if estimate.n_queries == 0:
        return "none"
    return f"{estimate.value:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def _json_estimate(estimate: Estimate) -> dict[str, float | int | None]:
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    shown = {k: None if math.isnan(v) else round(v, 6) for k, v in numbers.items()}
    return {**shown, "n_queries": estimate.n_queries}
