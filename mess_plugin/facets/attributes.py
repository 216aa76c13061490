"""Attributes: how bright a recording sounds, and how much it drives.

Each is the share of a calibration library that has less of it, in [0, 1]. That library is the one of
`scale.npz` (253 pieces of game music and songs); its values are taken for normally distributed.

brightness   the spectral centroid of the mean spectral shape, on the mel scale: of all simple measures
             the one that goes best with what listeners call bright (J. Grey and J. Gordon, JASA 63,
             1978; E. Schubert and J. Wolfe, Acta Acustica 92, 2006). Dark is its opposite.
drive        onsets per second, and how strongly the strongest period returns: event density and pulse
             clarity (O. Lartillot et al., "Multi-feature modeling of pulse clarity", ISMIR 2008).

Neither was checked against listeners. There is no valence: what could be had is the mode, and that is
not told surely enough (docs/measurements/facets.md), nor does it stand for a mood by itself.
"""

from __future__ import annotations

from math import erf, sqrt

from mess_plugin.facets.energy import activity_signs
from mess_plugin.facets.scale import load
from mess_plugin.facets.statistics import Sketch

_ONSETS, _CENTROID = 0, 3  # of the signs of activity
_PULSE = 17  # of the description of rhythm: the mean strength of the strongest period
_DRIVE_SPREAD = 0.96  # of the mean of the two signs, which go together


def brightness(sketch: Sketch) -> float:
    """The share of the calibration library that is darker, in [0, 1]."""
    return _share(_standard(float(activity_signs(sketch)[_CENTROID]), "activity", _CENTROID))


def drive(sketch: Sketch) -> float:
    """The share of the calibration library that drives less, in [0, 1]."""
    onsets = _standard(float(activity_signs(sketch)[_ONSETS]), "activity", _ONSETS)
    pulse = _standard(float(sketch.periods[:, -1].mean()), "rhythm", _PULSE)
    return _share((onsets + pulse) / 2 / _DRIVE_SPREAD)


def _standard(value: float, name: str, place: int) -> float:
    scale = load()
    return (value - float(scale[f"{name}_mean"][place])) / float(scale[f"{name}_scale"][place])


def _share(deviation: float) -> float:
    """The normal distribution function."""
    return 0.5 * (1 + erf(deviation / sqrt(2)))
