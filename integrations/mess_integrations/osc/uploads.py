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
_SMALL_BLOCK_BYTES = 512  # so many bytes a block at least, on average: each costs some 100 more
_FREE_BLOCKS = 64
MAX_UPLOAD_BYTES = 16_000_000
MAX_UPLOADS = 8
MAX_UPLOADS_EACH = 4  # of one client
MAX_BYTES = 64_000_000  # announced by all uploads under way
_LOUDEST = 1e5  # beyond full scale of either format by any measure
_LIFETIME_S = 60.0  # without a further block

_DTYPES: dict[str, np.dtype[Any]] = {"f32le": np.dtype("<f4"), "s16le": np.dtype("<i2")}
Key = tuple[Hashable, str]


@dataclass(slots=True)
class Upload:
    """Blocks of one sound."""

    begin: Begin
    client: Hashable
    blocks: dict[int, bytes] = field(default_factory=dict)
    n_bytes: int = 0
    n_committed: int = 0

    @property
    def most_blocks(self) -> int:
        """How many blocks are taken, whatever their size."""
        return _FREE_BLOCKS + self.begin.n_bytes // _SMALL_BLOCK_BYTES

    def recording(self) -> Recording:
        """The sound, of a complete upload. Takes a while. Raises BadRequest for what is no sound."""
        sound = b"".join(self.blocks[number] for number in range(self.n_committed))
        return Recording(f"upload {self.begin.id}", _mono(sound, self.begin), self.begin.rate_hz)


class Uploads:
    """Uploads under way, by client and id: a few for each client, a few altogether, 16 MB each.

    What does not fit is refused: nobody's upload gives way to another one's.
    """

    def __init__(self) -> None:
        self._uploads: ExpiringTable[Key, Upload] = ExpiringTable(MAX_UPLOADS, _LIFETIME_S)

    def begin(self, key: Key, begin: Begin, client: Hashable = None) -> None:
        """Start one; it takes the place of one with the same key. Raises BadRequest.

        client: to whom it counts.
        """
        frame_bytes = _DTYPES[begin.sample_format].itemsize * begin.channels
        if begin.n_bytes > MAX_UPLOAD_BYTES:
            raise BadRequest(413, f"{begin.n_bytes} bytes: at most {MAX_UPLOAD_BYTES} are taken")
        if begin.n_bytes % frame_bytes:
            raise BadRequest(400, f"bytes is {begin.n_bytes}: wanted a multiple of {frame_bytes}")
        self._uploads.drop(key)
        self._uploads.expire()
        others = self._uploads.values()
        if sum(one.client == client for one in others) >= MAX_UPLOADS_EACH:
            raise BadRequest(
                429, f"{MAX_UPLOADS_EACH} uploads of yours are under way: finish or cancel one"
            )
        announced = sum(one.begin.n_bytes for one in others)
        if len(others) >= MAX_UPLOADS or announced + begin.n_bytes > MAX_BYTES:
            raise BadRequest(503, "too many uploads are under way: try again later")
        self._uploads.put(key, Upload(begin, client))

    def add(self, key: Key, data: Data) -> None:
        """Take a block; one that is there already is left as it is. Raises BadRequest."""
        upload = self._get(key)
        if not 0 < len(data.block) <= _MAX_BLOCK_BYTES:
            raise BadRequest(
                413, f"a block of {len(data.block)} bytes: wanted 1 to {_MAX_BLOCK_BYTES}"
            )
        if data.number >= upload.most_blocks:
            raise BadRequest(
                413,
                f"block {data.number}: at most {upload.most_blocks} blocks are taken for "
                f"{upload.begin.n_bytes} bytes, so send larger ones",
            )
        if data.number not in upload.blocks:
            upload.n_bytes += len(data.block)
            if upload.n_bytes > upload.begin.n_bytes:
                self._uploads.drop(key)
                raise BadRequest(413, f"more than the {upload.begin.n_bytes} bytes that were said")
            upload.blocks[data.number] = data.block
        self._uploads.put(key, upload)

    def commit(self, key: Key, commit: Commit) -> Upload:
        """The complete upload. Raises BadRequest: 409 names missing blocks, which may follow."""
        upload = self._get(key)
        begin, blocks = upload.begin, upload.blocks
        if commit.n_blocks > min(begin.n_bytes, upload.most_blocks):
            raise BadRequest(400, f"{commit.n_blocks} blocks cannot make {begin.n_bytes} bytes")
        missing = [number for number in range(commit.n_blocks) if number not in blocks]
        if missing:
            numbers = " ".join(map(str, missing[:64]))
            raise BadRequest(409, f"{len(missing)} blocks are missing: {numbers}")
        self._uploads.drop(key)
        n_bytes = sum(len(blocks[number]) for number in range(commit.n_blocks))
        if n_bytes != begin.n_bytes:
            raise BadRequest(400, f"{n_bytes} bytes came, but {begin.n_bytes} were said")
        upload.n_committed = commit.n_blocks
        return upload

    def drop(self, key: Key) -> bool:
        """Forget one; whether there was one."""
        return self._uploads.drop(key) is not None

    def drop_all_of(self, peer: Hashable) -> None:
        """Forget those of a peer that is gone."""
        for key in [key for key in self._uploads.live_keys() if key[0] == peer]:
            self._uploads.drop(key)

    def _get(self, key: Key) -> Upload:
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
