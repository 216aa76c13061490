"""Timbre: the mean shape of the spectra, whatever is played.

Mel cepstra are the classical description of the sound of a recording (B. Logan and A. Salomon, "A
music similarity function based on signal analysis", ICME 2001). How the spectra vary is left out:
it tells more of what is played than of what it is played on (docs/measurements/facets.md).
"""

from __future__ import annotations

from mess_plugin.facets.statistics import Sketch
from mess_plugin.model import Float32


def describe(sketch: Sketch) -> Float32:
    """Mean shape of the spectra, (SHAPES,) float32 in its own units."""
    return sketch.shape_mean
