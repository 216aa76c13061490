"""Changing the encoder: the new recipe is built beside the old one, which answers until the end.

All of it is in the database: the two recipes, and the work as jobs of the ledger. Whoever sends work
does that work too, and it does not matter how often the process that began it dies.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mess_plugin.config import Settings
from mess_plugin.encoders import DEFAULT_ENCODER
from mess_plugin.errors import UsageError
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store
from mess_plugin.store.recipes import Built

_MOST_LOST = 0.01  # share of the library that may be missing from the new space


class SwitchState(StrEnum):
    """How far a switch is."""

    BUILDING = "building"  # files are left
    HELD = "held"  # all done, but too many files failed
    READY = "ready"  # all done


class Switch(msgspec.Struct, frozen=True):
    """A switch under way: from one recipe to another."""

    old: str
    new: str
    built: Built

    @property
    def state(self) -> SwitchState:
        """Whether it may be completed."""
        if self.built.left:
            return SwitchState.BUILDING
        n_music = self.built.done + self.built.lost
        too_many = self.built.lost > max(1.0, _MOST_LOST * n_music)
        nothing = self.built.lost > 0 and not self.built.done
        return SwitchState.HELD if too_many or nothing else SwitchState.READY


def resolve_settings(store: Store, settings: Settings) -> Settings:
    """The settings with the encoder that answers.

    An encoder that the settings name decides, together with the other settings. Otherwise the recipe
    that was chosen decides as a whole, layers, windows, precision and coverage included; where none
    was chosen, the default encoder does.
    """
    if settings.encoder is not None:
        return settings
    chosen = store.recipes.get().answering
    if chosen is None:
        return msgspec.structs.replace(settings, encoder=DEFAULT_ENCODER)
    recipe = Recipe.parse(chosen)
    return msgspec.structs.replace(
        settings,
        encoder=recipe.encoder,
        layers=recipe.layers,
        window_s=recipe.window_s,
        hop_s=recipe.hop_s,
        precision=recipe.precision,
        coverage=recipe.coverage,
    )


def active_recipe(store: Store, settings: Settings) -> str:
    """The recipe that questions are answered with, and that new files are heard with first."""
    return str(Recipe.of(resolve_settings(store, settings)))


def begin(store: Store, settings: Settings, encoder: str) -> Switch | None:
    """Choose an encoder, with the other settings as they are.

    Returns the switch that has begun, or goes on, with failed files to be tried again; None where
    the encoder answers already. A switch to another encoder is given up; what it has done is kept.
    Raises UsageError where the settings name an encoder: they would go before any choice.
    """
    if settings.encoder is not None:
        raise UsageError(
            f"the setting encoder is {settings.encoder!r} and goes before any choice: remove it "
            "from MESS_ENCODER and config.toml, then run this again"
        )
    new = str(Recipe.of(msgspec.structs.replace(settings, encoder=encoder)))
    with store.transaction():
        store.recipes.lock()
        old = active_recipe(store, settings)
        store.recipes.answer_with(old)
        other = store.recipes.get().building
        if other not in (None, new):
            store.recipes.stop_building(withdraw=other)
        if new == old:
            return None
        store.recipes.build(new)
    return under_way(store)


def under_way(store: Store) -> Switch | None:
    """The switch under way, if there is one."""
    chosen = store.recipes.get()
    if chosen.building is None or chosen.answering is None:
        return None
    return Switch(chosen.answering, chosen.building, store.recipes.progress(chosen.building))


def complete(store: Store) -> bool:
    """Switch if all is done: from now on the new recipe answers. Can be called at any time.

    The projection of the new space is fitted first, so that its answers are good from the first one.
    """
    from mess_plugin.spaces.refit import is_due, refit  # noqa: PLC0415  questions need no decoder

    switch = under_way(store)
    if switch is None or switch.state is not SwitchState.READY:
        return False
    refit(store, switch.new, force=True)
    if is_due(store, switch.new):
        return False  # another session is fitting; its end is worth waiting for
    with store.transaction():
        store.recipes.lock()
        now = under_way(store)
        if now is None or now.new != switch.new or now.state is not SwitchState.READY:
            return False  # chosen anew, or files came, meanwhile
        store.recipes.stop_building()
        store.recipes.answer_with(switch.new)
    return True
