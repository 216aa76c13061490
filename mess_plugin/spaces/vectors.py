"""An encoder's own vectors and those projected from them: which space each goes to."""

from __future__ import annotations

from msgspec.structs import replace

from mess_plugin.analysis.pooling import project
from mess_plugin.encoders.base import Encoder
from mess_plugin.model import Level, LevelVectors, Space
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store


def raw_space(store: Store, recipe: Recipe, encoder: Encoder) -> Space:
    """The space that an encoder's own vectors go to, made on first use.

    The decoder's revision is part of it: another resampling gives other vectors. So is the coverage.
    """
    from mess_plugin.audio import DECODER_REVISION  # noqa: PLC0415  questions need no decoder

    shipped = encoder.projections.get(Level.SONG)
    info = encoder.info
    width = info.dim * (2 if info.pooling == "mean+std" else 1)
    share = "" if recipe.coverage == 1 else f".cover-{recipe.coverage!r}"
    heard_as = replace(info, revision=f"{info.revision}.{DECODER_REVISION}{share}")
    return store.spaces.raw(
        str(recipe),
        heard_as,
        shipped.matrix.shape[1] if shipped else width,
        recipe.window_s,
        recipe.hop_s,
        shipped.version if shipped else "none",
    )


def project_into(
    store: Store, space: Space, raw: dict[Level, LevelVectors]
) -> dict[Level, LevelVectors]:
    """Raw vectors of one recording through the maps of a projected space."""
    projections = store.spaces.projections(space)
    return {
        level: LevelVectors(
            vectors.intervals, project(vectors.vectors, projections.get(level)), vectors.labels
        )
        for level, vectors in raw.items()
    }
