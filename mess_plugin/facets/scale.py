"""Typical values of each facet, so that no unit outweighs the others and cosines spread around 0.

Fitted once, without labels, by `benchmarks/fit_facets.py` and shipped as `scale.npz`:

    {facet}_mean, {facet}_scale   per dimension
    timbre_matrix                 whitens what is correlated (docs/measurements/facets.md)
    {facet}_pairs                 median similarity of two random recordings
    activity_mean, activity_scale, activity_quantiles

`_pairs` puts 0 at "as alike as any two recordings": similarities of different facets can then be
weighed against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np

from mess_plugin.analysis.pooling import unit
from mess_plugin.facets import harmony
from mess_plugin.facets.values import Facet
from mess_plugin.model import Float32


def standardised(facet: Facet, described: Float32) -> Float32:
    """Descriptions in their own units, (n, dim), to stored vectors: (n, dim), unit length."""
    scale = load()
    centred = (described - scale[f"{facet}_mean"]) / scale[f"{facet}_scale"]
    if f"{facet}_matrix" in scale:
        centred = centred @ scale[f"{facet}_matrix"]
    return unit(centred.astype(np.float32))


def similarity(facet: Facet, one: Float32, others: Float32, *, exact_key: bool = False) -> Float32:
    """Similarities of a stored vector, (dim,), with others, (n, dim): (n,) float32 in [0, 1].

    0 is the median of random pairs or less, 1 the same. exact_key: harmony is compared as it
    sounds, not at the best transposition.
    """
    if facet is Facet.HARMONY:
        cosines = harmony.similarity(one, others, exact_key=exact_key)
    else:
        cosines = np.einsum("nd,d->n", others, one)  # a row's result depends on that row alone
    name = "harmony_exact_pairs" if exact_key and facet is Facet.HARMONY else f"{facet}_pairs"
    usual = float(load()[name])
    return np.asarray(np.clip((cosines - usual) / (1 - usual), 0, 1), dtype=np.float32)


def activity(signs: Float32) -> float:
    """Signs of activity, (4,), to the share of the calibration library that is calmer, in [0, 1]."""
    scale = load()
    value = ((signs - scale["activity_mean"]) / scale["activity_scale"]).mean()
    quantiles = scale["activity_quantiles"]
    return float(np.interp(value, quantiles, np.linspace(0, 1, len(quantiles))))


@cache
def load() -> Mapping[str, Float32]:
    """The arrays of `scale.npz` by name."""
    with (files(__package__ or "") / "scale.npz").open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}
