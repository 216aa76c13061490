"""Rhythm: at which periods onsets recur, and how fast which bands pulse.

Autocorrelation of onset strength at log-spaced lags and fluctuation strength, block by block (see
`mess_plugin.features.rhythm` for the sources), then their mean and spread.
"""

from __future__ import annotations

import numpy as np

from mess_plugin.facets.statistics import Sketch
from mess_plugin.model import Float32


def describe(sketch: Sketch) -> Float32:
    """(66,) float32: mean and spread of the periods, mean of the modulations, in their own units."""
    return np.concatenate(
        [sketch.periods.mean(axis=0), sketch.periods.std(axis=0), sketch.modulations.mean(axis=0)]
    ).astype(np.float32)
