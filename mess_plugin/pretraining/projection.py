"""Post-processing fitted once and shipped: pooled frames → the space in which tracks are compared.

Each block of a frame (what the network learnt, and each kind of plain statistics) is centred,
brought to unit variance and divided by the square root of a covariance of what should not matter:
differences within albums (WCCN: Hatch, Kajarekar and Stolcke, 2006) and what augmentation changes,
shrunk towards the identity. Blocks are then given their weights, and the whole is turned to its
principal axes, of which the first are kept.
"""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import numpy.typing as npt

from mess_plugin.model import Float32, Projection

Float64 = npt.NDArray[np.float64]


class ProjectionRecipe(msgspec.Struct, frozen=True):
    """How one level's projection is fitted.

    weights: share of each block's deviation in the result; album, change, total: how much the
    covariance within albums, of augmentation and of everything count; shrinkage in 0..1; width: of
    the result.
    """

    weights: tuple[float, ...]
    album: float
    change: float
    total: float
    shrinkage: float
    width: int = 256


class Samples(msgspec.Struct, frozen=True):
    """What projections are fitted on.

    clean: (n, d) pooled vectors; changed: (n, k, d) of the same windows after augmentation;
    albums: (n,) names, "" for recordings without a telling album;
    blocks: widths of the blocks that make up d.
    """

    clean: Float64
    changed: Float64
    albums: npt.NDArray[np.str_]
    blocks: tuple[int, ...]


def fit(samples: Samples, recipe: ProjectionRecipe) -> Projection:
    """The projection of one level."""
    parts, start = [], 0
    for width, weight in zip(samples.blocks, recipe.weights, strict=True):
        block = slice(start, start + width)
        parts.append(_whiten(samples, block, recipe) * weight)
        start += width
    matrix = np.zeros((start, start))
    start = 0
    for part in parts:
        end = start + len(part)
        matrix[start:end, start:end] = part
        start = end
    mean = samples.clean.mean(axis=0)
    turned = (samples.clean - mean) @ matrix
    axes = np.linalg.svd(turned, full_matrices=False)[2][: recipe.width]
    return _named(mean, matrix @ axes.T)


def _whiten(samples: Samples, block: slice, recipe: ProjectionRecipe) -> Float64:
    """(d, d) for one block, scaled so that the projected block has a total variance of one."""
    clean = samples.clean[:, block]
    mean, scale = clean.mean(axis=0), clean.std(axis=0)
    scale = np.maximum(scale, 1e-3 * np.abs(clean).mean() + 1e-4)
    standard = (clean - mean) / scale
    changes = (samples.changed[..., block] - samples.clean[:, None, block]) / scale
    nuisance = recipe.change * _unit_trace(_scatter(changes.reshape(-1, len(scale))))
    if recipe.album:
        nuisance += recipe.album * _unit_trace(_within(standard, samples.albums))
    if recipe.total:
        nuisance += recipe.total * _unit_trace(_scatter(standard))
    shrunk = (1 - recipe.shrinkage) * _unit_trace(nuisance)
    shrunk += recipe.shrinkage * np.eye(len(scale))
    values, vectors = np.linalg.eigh(shrunk)
    matrix = vectors / np.sqrt(values) / scale[:, None]
    result: Float64 = matrix / np.sqrt(((clean - mean) @ matrix).var(axis=0).sum())
    return result


def _within(standard: Float64, albums: npt.NDArray[np.str_]) -> Float64:
    """Covariance around each album's mean; an album counts with the root of its size."""
    total = np.zeros((standard.shape[1], standard.shape[1]))
    for album in np.unique(albums[albums != ""]):
        members = standard[albums == album]
        members = members - members.mean(axis=0)
        total += members.T @ members / np.sqrt(len(members))
    return total


def _scatter(rows: Float64) -> Float64:
    result: Float64 = rows.T @ rows / len(rows)
    return result


def _unit_trace(covariance: Float64) -> Float64:
    """Scaled to a mean variance of one; a covariance of nothing stays nothing."""
    result: Float64 = covariance / max(float(np.trace(covariance)) / len(covariance), 1e-12)
    return result


def _named(mean: Float64, matrix: Float64) -> Projection:
    """Rounded to what is stored, named by its content."""
    stored: tuple[Float32, Float32] = mean.astype(np.float32), matrix.astype(np.float32)
    digest = hashlib.sha256(b"".join(x.tobytes() for x in stored)).hexdigest()[:8]
    return Projection(*stored, version=f"wccn-{digest}")
