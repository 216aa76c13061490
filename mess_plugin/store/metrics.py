"""Metrics of one's own: which there are, how their trials went, and which answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from mess_plugin.model import Space
from mess_plugin.store.session import DbSession


class Metric(msgspec.Struct, frozen=True):
    """A learned map of song vectors, with a space of its own.

    chosen: whether questions are answered in it. plain_right, fitted_right, certainty: of its trial,
    see `mess_plugin.metric.cross_validation`.
    """

    name: str
    chosen: bool
    recipe: str
    n_comparisons: int
    n_groups: int
    plain_right: float
    fitted_right: float
    certainty: float
    created_at: datetime
    space: Space


class Metrics:
    """The metrics of a library."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def save(
        self,
        space: Space,
        name: str,
        *,
        n_comparisons: int,
        n_groups: int,
        plain_right: float,
        fitted_right: float,
        certainty: float,
    ) -> None:
        """Name a space as that of a metric, with the figures of its trial."""
        self._session.execute(
            "save_metric",
            space_id=space.id,
            title=name,
            n_comparisons=n_comparisons,
            n_groups=n_groups,
            plain_right=plain_right,
            fitted_right=fitted_right,
            certainty=certainty,
        )

    def all(self) -> list[Metric]:
        """Every metric, the oldest first."""
        return [_metric(row) for row in self._session.rows("list_metrics")]

    def choose(self, recipe: str, name: str | None) -> None:
        """From now on questions about a recipe are answered in this metric; None: in none."""
        self._session.execute("choose_metric", recipe=recipe, title=name)


def _metric(row: tuple[Any, ...]) -> Metric:
    name, chosen, recipe, n, n_groups, plain, fitted, certainty, created_at, *space = row
    return Metric(
        name, chosen, recipe, n, n_groups, plain, fitted, certainty, created_at, Space(*space)
    )
