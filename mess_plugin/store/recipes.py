"""Which recipe was chosen to answer, and which is being built to take over."""

from __future__ import annotations

from datetime import datetime

import msgspec

from mess_plugin.store.session import DbSession


class Chosen(msgspec.Struct, frozen=True):
    """The chosen recipes; None where there is none. since: when building began."""

    answering: str | None
    building: str | None
    since: datetime | None


class Built(msgspec.Struct, frozen=True):
    """How far a recipe is with the files that are there.

    lost: files that failed although the library knows them as music. left: files to do. recent:
    files that ended within the last ten minutes; first_s: seconds since the first of those, None
    where there is none.
    """

    done: int
    failed: int
    lost: int
    left: int
    recent: int
    first_s: float | None

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end at the present pace; None where there is no pace yet."""
        if not self.left:
            return 0.0
        return self.left * self.first_s / self.recent if self.recent and self.first_s else None


class RecipeChoices:
    """The chosen recipes."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def get(self) -> Chosen:
        """What was chosen."""
        rows = {role: (recipe, since) for role, recipe, since in self._session.rows("list_choices")}
        building, since = rows.get("building", (None, None))
        return Chosen(rows.get("answering", (None, None))[0], building, since)

    def lock(self) -> None:
        """Until the end of the transaction, nobody else chooses."""
        self._session.execute("lock_choices")

    def answer_with(self, recipe: str) -> None:
        """From now on questions are answered with this recipe."""
        self._session.execute("choose_recipe", role="answering", recipe=recipe)

    def build(self, recipe: str) -> None:
        """Want every file heard with this recipe, behind all other work."""
        self._session.execute("choose_recipe", role="building", recipe=recipe)
        self._session.execute("want_all_files", recipe=recipe)
        self._session.rows("announce_work")

    def stop_building(self, *, withdraw: str | None = None) -> None:
        """Nothing is being built any more. withdraw: the recipe whose open work is given up."""
        self._session.execute("stop_building")
        if withdraw is not None:
            self._session.execute("withdraw_jobs", recipe=withdraw)

    def progress(self, recipe: str) -> Built:
        """How far a recipe is."""
        return Built(*self._session.row("building_progress", recipe=recipe))
