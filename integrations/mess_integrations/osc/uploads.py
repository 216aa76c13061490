"""Sound that arrives in blocks, in any order, some of them twice and some never."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mess_integrations.osc.requests import BadRequest, Begin, Commit, Data
from mess_integrations.rate_limit import ExpiringTable
from mess_plugin.model import Waveform
from mess_plugin.search.references import Recording

BLOCK_BYTES = 1_024  # what every client can send; larger blocks are taken up to …
_MAX_BLOCK_BYTES = 8_192
MAX_UPLOAD_BYTES = 16_000_000
_MAX_UPLOADS = 8
_LOUDEST = 1e5  # beyond full scale of either format by any measure
_LIFETIME_S = 60.0  # without a further block

_DTYPES: dict[str, np.dtype[Any]] = {"f32le": np.dtype("<f4"), "s16le": np.dtype("<i2")}
Key = tuple[Hashable, str]


@dataclass(slots=True)
class _Upload:
    begin: Begin
    blocks: dict[int, bytes] = field(default_factory=dict)
    n_bytes: int = 0


class Uploads:
    """Uploads under way, by client and id. Bounded: 8 at a time, 16 MB each."""

    def __init__(self) -> None:
        self._uploads: ExpiringTable[Key, _Upload] = ExpiringTable(_MAX_UPLOADS, _LIFETIME_S)

    def begin(self, key: Key, begin: Begin) -> None:
        """Start one; it takes the place of one with the same key. Raises BadRequest."""
        frame_bytes = _DTYPES[begin.sample_format].itemsize * begin.channels
        if begin.n_bytes > MAX_UPLOAD_BYTES:
            raise BadRequest(413, f"{begin.n_bytes} bytes: at most {MAX_UPLOAD_BYTES} are taken")
        if begin.n_bytes % frame_bytes:
            raise BadRequest(400, f"bytes is {begin.n_bytes}: wanted a multiple of {frame_bytes}")
        self._uploads.put(key, _Upload(begin))

    def add(self, key: Key, data: Data) -> None:
        """Take a block; one that is there already is left as it is. Raises BadRequest."""
        upload = self._get(key)
        if not 0 < len(data.block) <= _MAX_BLOCK_BYTES:
            raise BadRequest(
                413, f"a block of {len(data.block)} bytes: wanted 1 to {_MAX_BLOCK_BYTES}"
            )
        if data.number not in upload.blocks:
            upload.n_bytes += len(data.block)
            if upload.n_bytes > upload.begin.n_bytes:
                self._uploads.drop(key)
                raise BadRequest(413, f"more than the {upload.begin.n_bytes} bytes that were said")
            upload.blocks[data.number] = data.block
        self._uploads.put(key, upload)

    def commit(self, key: Key, commit: Commit) -> Recording:
        """The sound. Raises BadRequest: 409 names the blocks that are missing; they can follow."""
        upload = self._get(key)
        begin = upload.begin
        if commit.n_blocks > begin.n_bytes:
            raise BadRequest(400, f"{commit.n_blocks} blocks cannot make {begin.n_bytes} bytes")
        missing = [number for number in range(commit.n_blocks) if number not in upload.blocks]
        if missing:
            numbers = " ".join(map(str, missing[:64]))
            raise BadRequest(409, f"{len(missing)} blocks are missing: {numbers}")
        sound = b"".join(upload.blocks[number] for number in range(commit.n_blocks))
        self._uploads.drop(key)
        if len(sound) != begin.n_bytes:
            raise BadRequest(400, f"{len(sound)} bytes came, but {begin.n_bytes} were said")
        return Recording(f"upload {commit.id}", _mono(sound, begin), begin.rate_hz)

    def drop(self, key: Key) -> bool:
        """Forget one; whether there was one."""
        return self._uploads.drop(key) is not None

    def _get(self, key: Key) -> _Upload:
        upload = self._uploads.get(key)
        if upload is None:
            raise BadRequest(404, "no such upload: send /mess/lookup/begin first")
        return upload


def _mono(sound: bytes, begin: Begin) -> Waveform:
    """(n_samples,) float32: the mean of the channels. Raises BadRequest for what is no sound."""
    samples = np.frombuffer(sound, dtype=_DTYPES[begin.sample_format])
    scale = 1 / 32768 if begin.sample_format == "s16le" else 1.0
    frames = samples.reshape(-1, begin.channels).astype(np.float32)
    if not np.isfinite(frames).all() or np.abs(frames).max() > _LOUDEST:
        raise BadRequest(400, "the samples are not sound: wanted finite values around -1 to 1")
    waveform: Waveform = frames.mean(axis=1) * np.float32(scale)
    return waveform
