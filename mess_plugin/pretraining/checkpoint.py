"""Reads TensorFlow checkpoints (V2, uncompressed) without TensorFlow.

The index file is a LevelDB table of `BundleEntryProto` messages; the data file holds the numbers.
Formats: tensorflow/core/util/tensor_bundle and protobuf's wire format, as documented publicly.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mess_plugin.errors import UsageError
from mess_plugin.model import Float32

FOOTER_BYTES = 48
TABLE_MAGIC = 0xDB4775248B80FB57
FLOAT = 1  # DataType.DT_FLOAT


def read_checkpoint(folder: Path, name: str = "") -> dict[str, Float32]:
    """All float32 tensors of a checkpoint of one shard, by name.

    folder, name: where "NAME.index" lies; the name may be empty. Raises UsageError for anything
    else than such a checkpoint.
    """
    index = (folder / f"{name}.index").read_bytes()
    data = (folder / f"{name}.data-00000-of-00001").read_bytes()
    if int.from_bytes(index[-8:], "little") != TABLE_MAGIC:
        raise UsageError(f"{folder}/{name}.index is not the index of a TensorFlow checkpoint")
    footer = index[-FOOTER_BYTES:]
    _, at = _varint(footer, 0)  # the metaindex handle: where and how long
    _, at = _varint(footer, at)
    tensors = {}
    for _, handle in _entries(index, *_handle(footer[at:])):
        for key, message in _entries(index, *_handle(handle)):
            fields = dict(_fields(message))
            if key and fields.get(1) == FLOAT:
                start, size = int(fields.get(4, 0)), int(fields[5])
                flat = np.frombuffer(data[start : start + size], "<f4")
                tensors[key.decode()] = flat.reshape(_shape(fields.get(2, b"")))
    return tensors


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _handle(buffer: bytes) -> tuple[int, int]:
    """Start and end of a block in the index file."""
    start, at = _varint(buffer, 0)
    size, _ = _varint(buffer, at)
    return start, start + size


def _entries(index: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one table block, whose keys share prefixes."""
    if index[end] != 0:
        raise UsageError("the checkpoint's index is compressed, which this reader does not know")
    restarts = int.from_bytes(index[end - 4 : end], "little")
    end -= 4 * (restarts + 1)
    key, at = b"", start
    while at < end:
        shared, at = _varint(index, at)
        unshared, at = _varint(index, at)
        size, at = _varint(index, at)
        key = key[:shared] + index[at : at + unshared]
        at += unshared
        yield key, index[at : at + size]
        at += size


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protobuf message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(message, at)
        elif kind == 2:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = message[at : at + size], at + size
        yield tag >> 3, value


def _shape(message: int | bytes) -> list[int]:
    """Dimensions of a TensorShapeProto."""
    assert isinstance(message, bytes)
    sizes = [
        dict(_fields(d)) for number, d in _fields(message) if number == 2 and isinstance(d, bytes)
    ]
    return [int(size.get(1, 0)) for size in sizes]
