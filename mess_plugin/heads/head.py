"""A head: song vectors of one space → how probable each of some tags is."""

from __future__ import annotations

from importlib.resources import files
from io import BytesIO

import msgspec
import numpy as np

from mess_plugin.model import Float32, Space


class Head(msgspec.Struct, frozen=True):
    """A linear map with a logistic curve behind each output."""

    version: str
    """Changes whenever its answers do."""
    space: str
    """Whose vectors it takes: see `key_of`."""
    labels: tuple[str, ...]
    mean: Float32
    """(dim,) of the vectors that it was fitted on."""
    matrix: Float32
    """(dim, n_labels)"""
    offset: Float32
    """(n_labels,)"""
    slope: Float32
    """(n_labels,) of the logistic curve."""
    shift: Float32
    """(n_labels,) of the logistic curve."""
    bar: float
    """The probability from which a tag is said."""

    def raw(self, vectors: Float32) -> Float32:
        """(n, dim) of unit length → (n, n_labels), larger where a tag is likelier."""
        return np.asarray((vectors - self.mean) @ self.matrix + self.offset, dtype=np.float32)

    def probable(self, raw: Float32) -> Float32:
        """Raw values as probabilities, in [0, 1]."""
        logits = np.clip(raw * self.slope + self.shift, -30, 30)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)

    def said(self, row: Float32) -> list[str]:
        """The labels that pass the bar, the likeliest first; row: (n_labels,) probabilities."""
        order = np.argsort(-row, kind="stable")
        return [self.labels[i] for i in order.tolist() if row[i] >= self.bar]


def key_of(space: Space) -> str:
    """What a head must fit: the encoder, its layers and pooling, and the projection."""
    return f"{space.encoder}/{space.layers}/{space.pooling}/{space.projection}"


def write_head(head: Head) -> bytes:
    """A head as the content of an .npz file."""
    file = BytesIO()
    np.savez_compressed(file, **{name: getattr(head, name) for name in head.__struct_fields__})
    return file.getvalue()


def read_head(data: bytes) -> Head:
    """The inverse."""
    with np.load(BytesIO(data)) as found:
        return Head(
            version=str(found["version"]),
            space=str(found["space"]),
            labels=tuple(str(label) for label in found["labels"]),
            mean=found["mean"],
            matrix=found["matrix"],
            offset=found["offset"],
            slope=found["slope"],
            shift=found["shift"],
            bar=float(found["bar"]),
        )


def shipped_head() -> Head:
    """The tags of mess-mini's space, which come with MESS."""
    return read_head((files("mess_plugin.heads") / "tags-mess-mini.npz").read_bytes())
