"""What MusiCNN says of recordings: its 50 logits over the middle minute of each.

    pip download --no-deps musicnn==0.1.0 && unzip musicnn-0.1.0-py3-none-any.whl
    python -m benchmarks.musicnn_logits LIST AUDIO musicnn/MSD_musicnn --out logits.npz

LIST: as `benchmarks.dev_retrieval` takes it; AUDIO: the folder that it names files of. The front end
is MusiCNN's own: 16 kHz, frames of 512 samples every 256, 96 mel bands, log10(1 + 10,000 x), patches of
187 frames, whose logits are averaged. Writes `paths` and `logits`, (n, 50).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from mess_plugin import audio
from mess_plugin.evaluation.listing import read_listing
from mess_plugin.model import Float32
from mess_plugin.pretraining.checkpoint import read_checkpoint
from mess_plugin.pretraining.musicnn import BATCH_NORM_EPSILON, MusiCNN

RATE_HZ, FFT, HOP, BANDS, PATCH = 16_000, 512, 256, 96, 187
MIDDLE_S = 60.0
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
    "classic rock", "soul", "indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill",
    "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "hip-hop", "70s", "party", "country",
    "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "progressive rock",
    "60s", "rnb", "indie pop", "sad", "house", "happy",
)  # fmt: skip


class Tagger:
    """MusiCNN with its dense layers."""

    def __init__(self, folder: Path, every: int) -> None:
        """every: of so many patches one is heard."""
        self.every = every
        self.features = MusiCNN(folder)
        self.tensors = {k: torch.from_numpy(v.copy()) for k, v in read_checkpoint(folder).items()}
        filters = mel_filter_bank(
            FFT // 2 + 1, BANDS, 0.0, RATE_HZ / 2, RATE_HZ, "slaney", "slaney"
        )
        self.filters = torch.from_numpy(filters.astype(np.float32))

    def __call__(self, waveform: Float32) -> Float32:
        """(n_samples,) at RATE_HZ → (50,)."""
        mel = self._mel(torch.from_numpy(waveform))
        patches = torch.stack(
            [mel[i : i + PATCH] for i in range(0, len(mel) - PATCH + 1, PATCH * self.every)]
        )
        found = self.features(patches)
        pooled = torch.stack([found.amax(1), found.mean(1)], 2).flatten(1)
        dense = self._norm(self._dense(self._norm(pooled, 9), "dense").relu(), 10)
        return np.asarray(self._dense(dense, "dense_1").mean(0).numpy(), dtype=np.float32)

    def _mel(self, waveform: Tensor) -> Tensor:
        spectrum = torch.stft(
            waveform, FFT, HOP, window=torch.hann_window(FFT), return_complex=True
        )  # fmt: skip
        return torch.log10(1 + 10_000 * (spectrum.abs() ** 2).T @ self.filters)

    def _dense(self, x: Tensor, name: str) -> Tensor:
        return x @ self.tensors[f"{name}/kernel"] + self.tensors[f"{name}/bias"]

    def _norm(self, x: Tensor, number: int) -> Tensor:
        name = f"batch_normalization_{number}"
        deviation = (self.tensors[f"{name}/moving_variance"] + BATCH_NORM_EPSILON).sqrt()
        scaled = (x - self.tensors[f"{name}/moving_mean"]) / deviation
        return scaled * self.tensors[f"{name}/gamma"] + self.tensors[f"{name}/beta"]


def middle(path: Path) -> Float32:
    """The middle minute, or all of a shorter recording."""
    with audio.decode(path, RATE_HZ) as decoding:
        whole = np.concatenate(list(decoding))
    spare = max(0, len(whole) - round(MIDDLE_S * RATE_HZ)) // 2
    return whole[spare : len(whole) - spare]


def main() -> None:
    """Parse the command line and write the logits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("listing", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="Of so many patches one is heard.")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    tagger = Tagger(asked.folder, asked.every)
    paths, rows = [], []
    with torch.inference_mode():
        for one in read_listing(asked.listing):
            waveform = middle(asked.audio / one.track)
            if len(waveform) >= PATCH * HOP + FFT:
                rows.append(tagger(waveform))
                paths.append(one.track)
                print(one.track, TAGS[int(rows[-1].argmax())], flush=True)
                if len(rows) % 20 == 0:
                    np.savez(asked.out, paths=np.array(paths), logits=np.stack(rows))
    np.savez(asked.out, paths=np.array(paths), logits=np.stack(rows))


if __name__ == "__main__":
    main()
