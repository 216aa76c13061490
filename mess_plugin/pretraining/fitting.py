"""The last stage: projections for each level, and the weights file."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from mess_plugin.encoders.mini.network import MiniNet
from mess_plugin.model import Level
from mess_plugin.pretraining import network
from mess_plugin.pretraining.data import Collection
from mess_plugin.pretraining.export import export, network_tensors
from mess_plugin.pretraining.projection import ProjectionRecipe, fit
from mess_plugin.pretraining.projection_samples import pool_collection, scaling

SONG = ProjectionRecipe(
    weights=(1.0, 0.3, 0.6, 0.3), album=1.0, change=1.0, total=0.0, shrinkage=0.1
)
WINDOW = ProjectionRecipe(
    weights=(0.5, 0.3, 0.7, 1.0), album=0.0, change=1.0, total=1.0, shrinkage=0.1
)
RECIPES = {Level.SONG: SONG, Level.SECTION: SONG, Level.WINDOW: WINDOW}
"""Chosen by leave-albums-out cross-validation: docs/measurements/training.md. Blocks: learnt, mel, its
movement, semitones. Sections are compared like songs, windows like places in one song."""


def fit_and_export(
    net: network.TrainableMiniNet,
    collection: Collection,
    tracks: list[int],
    unnamed: set[str],
    folder: Path,
) -> Path:
    """Fits every level on the given recordings and writes the weights; returns the file."""
    tensors = network_tensors(net.eval())
    samples = pool_collection(MiniNet(tensors), collection, tracks, unnamed, seed=5)
    mean, factor = scaling(samples)
    scaled = replace(
        samples,
        clean=(samples.clean - mean) * factor,
        changed=(samples.changed - mean) * factor,
    )
    projections = {level: fit(scaled, recipe) for level, recipe in RECIPES.items()}
    return export(tensors, (mean, factor), projections, folder)
