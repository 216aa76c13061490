"""The training loop: seeded, logged as JSON lines, resumable from its last checkpoint."""

from __future__ import annotations

import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from mess_plugin.atomic_file import replacing
from mess_plugin.errors import UsageError
from mess_plugin.pretraining.augment import Augment, Batch, Strength, mix
from mess_plugin.pretraining.data import Collection, Place, Sampler
from mess_plugin.pretraining.losses import Heads, LossWeights, contrast_loss
from mess_plugin.pretraining.musicnn import MusiCNN
from mess_plugin.pretraining.network import TrainableMiniNet
from mess_plugin.pretraining.targets import Codebooks, KMeans

MASK_SPAN = 4  # frames
STATISTICS_WINDOWS = 400


class TrainingPlan(msgspec.Struct, frozen=True):
    """Everything that decides the outcome of a run, together with the collection."""

    steps: int = 1000
    tracks_per_step: int = 12
    n_frames: int = 24
    learning_rate: float = 1e-3
    stem_rate: float = 0.3  # of the learning rate, for the stem's middle layers
    weight_decay: float = 0.02
    warm_up: int = 40
    average: float = 0.99  # of the running mean of the weights, which is what a run gives
    hidden: float = 0.4  # share of frames masked in the first window of a pair
    mixup_db: tuple[float, float] | None = (-20.0, -5.0)  # None leaves it out
    codec: float = 0.0  # share of the changed windows that went through a lossy codec first
    width: int = 192
    layers: int = 3
    seed: int = 0
    checkpoint_every: int = 50
    weights: LossWeights = msgspec.field(default_factory=LossWeights)
    strength: Strength = msgspec.field(default_factory=Strength)


class Trainer:
    """One run. `teacher` gives the stem its first weights; without it the stem starts at random."""

    def __init__(
        self, plan: TrainingPlan, collection: Collection, tracks: list[int], teacher: MusiCNN | None
    ) -> None:
        if plan.codec and collection.coded is None:
            raise UsageError("the plan asks for coded copies, but the collection has none")
        torch.manual_seed(plan.seed)
        self.plan, self.collection, self.step = plan, collection, 0
        self.settings: dict[str, Any] = {
            "plan": msgspec.to_builtins(plan), "recordings": tracks,
            "teacher": collection.teacher_label, "inherited": teacher is not None,
        }  # fmt: skip
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.sampler = Sampler(collection, tracks, plan.n_frames, plan.seed)
        self.augment = Augment(plan.strength, self.generator)
        self.net = TrainableMiniNet(plan.width, plan.layers)
        if teacher is not None:
            self.net.stem.inherit(teacher)
            # The teacher's first layer heard a quarter of a million recordings: it stays.
            self.net.stem.freeze_front()
        self.codebooks: Codebooks = self._prepare()
        teacher_width = 0 if collection.teacher is None else collection.teacher.shape[1]
        n_labels = self.codebooks.count * self.codebooks.size
        self.heads = Heads(plan.width, max(1, teacher_width), n_labels)
        self.optimizer = torch.optim.AdamW(self._groups(), weight_decay=plan.weight_decay)
        self.averaged = copy.deepcopy(self.net).requires_grad_(False)

    def _groups(self) -> list[dict[str, Any]]:
        rate = self.plan.learning_rate
        stem = [p for p in self.net.stem.parameters() if p.requires_grad]
        rest = [p for n, p in self.net.named_parameters() if not n.startswith("stem.")]
        rest += list(self.heads.parameters())
        return [
            {"params": stem, "lr": rate * self.plan.stem_rate, "peak": rate * self.plan.stem_rate},
            {"params": rest, "lr": rate, "peak": rate},
        ]

    @torch.no_grad()
    def _prepare(self) -> KMeans:
        """Codebooks, and means and scales of what the trunk and the teacher's head will see."""
        places: list[Place] = []
        while len(places) < STATISTICS_WINDOWS:
            places += self.sampler.draw(self.plan.tracks_per_step, 0.0)[0]
        parts = [self.collection.batch(places[i : i + 20], self.plan.n_frames)
                 for i in range(0, len(places), 20)]  # fmt: skip
        seen = torch.cat([torch.cat(self.net.stem_frames(p.mel), 2).flatten(0, 1) for p in parts])
        self.net.stem_mean.copy_(seen.mean(0))
        self.net.stem_scale.copy_(1 / seen.std(0).clamp_min(0.05))
        if self.collection.teacher is not None:
            taught = np.concatenate([self.collection.taught(p, self.plan.n_frames) for p in places])
            self.taught_mean = torch.from_numpy(taught.mean(0))
            self.taught_scale = torch.from_numpy(1 / np.maximum(taught.std(0), 0.02))
        return KMeans(parts, self.generator)

    def mask(self, n: int) -> Tensor:
        """(n, frames) bool: spans that hide about `hidden` of the frames."""
        chance = 1 - (1 - self.plan.hidden) ** (1 / MASK_SPAN)
        starts = torch.rand(n, self.plan.n_frames, generator=self.generator) < chance
        mask = starts.clone()
        for shift in range(1, MASK_SPAN):
            mask[:, shift:] |= starts[:, :-shift]
        return mask

    def losses(self) -> dict[str, Tensor]:
        """One batch through the network: each term, unweighted.

        Three windows of each recording: one with hidden frames, one far from it, and the first
        again after other changes.
        """
        plan, weights = self.plan, self.plan.weights
        first, far = self.sampler.draw(plan.tracks_per_step, plan.strength.tempo)
        n, places = len(first), first + far + first
        clean = self.collection.batch(first + far, plan.n_frames)
        clean = Batch(*(torch.cat([x, x[:n]]) for x in (clean.mel, clean.tones)))
        heard = self._noisy(self.augment(self._coded(clean, places)), n)
        mask = self.mask(n)
        whole = torch.cat([mask, torch.zeros_like(mask).repeat(2, 1)])
        _, trunk = self.net(*_hide(heard, whole), whole)
        terms: dict[str, Tensor] = {}
        early = Batch(clean.mel[:n], clean.tones[:n])
        if weights.masked:
            labels = self.codebooks.labels(early, first)
            terms["masked"] = self.heads.masked_loss(trunk[:n], labels, mask)
        if weights.tones:
            terms["tones"] = self.heads.tones_loss(trunk[:n], early, mask)
        if weights.contrast:
            albums = [self.collection.albums[p.track] for p in first]
            views = trunk.mean(1).unflatten(0, (3, n))
            terms["contrast"] = contrast_loss(views, albums, weights.album)
        if weights.local:
            here, away, again = trunk.unflatten(0, (3, n))
            terms["local"] = self.heads.local_loss(here, again, away)
        if weights.distil and self.collection.teacher is not None:
            rows = [self.collection.taught(p, plan.n_frames) for p in places]
            taught = (torch.from_numpy(np.stack(rows)) - self.taught_mean) * self.taught_scale
            terms["distil"] = self.heads.distil_loss(trunk, taught)
        return terms

    def _coded(self, clean: Batch, places: list[Place]) -> Batch:
        """Some of the windows as a lossy codec left them."""
        if not self.plan.codec:
            return clean
        touched = torch.rand(len(places), generator=self.generator) < self.plan.codec
        rows = touched.nonzero().squeeze(1)
        if not len(rows):
            return clean
        worn = self.collection.batch([places[i] for i in rows], self.plan.n_frames, coded=True)
        return Batch(
            clean.mel.index_copy(0, rows, worn.mel), clean.tones.index_copy(0, rows, worn.tones)
        )

    def _noisy(self, batch: Batch, n: int) -> Batch:
        """In-batch mixup in the first n windows: another clip as noise."""
        other = torch.randperm(len(batch.mel), generator=self.generator)
        level = self.augment.uniform(len(other), *(self.plan.mixup_db or (0.0, 0.0)))
        touched = self.augment.touched(len(other))
        if self.plan.mixup_db is None:  # after the same draws, so that runs differ in this alone
            return batch
        level = torch.where(touched, level, torch.tensor(-120.0))
        level[n:] = -120.0
        return mix(batch, Batch(batch.mel[other], batch.tones[other]), level)

    def advance(self) -> dict[str, float]:
        """One step; returns the terms and the total."""
        plan = self.plan
        warm = min(1.0, (self.step + 1) / plan.warm_up)
        cool = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / plan.steps)))
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * warm * max(0.02, cool)
        terms = self.losses()
        total = torch.stack([getattr(plan.weights, k) * v for k, v in terms.items()]).sum()
        self.optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self._average()
        return {k: v.item() for k, v in terms.items()} | {"total": total.item()}

    @torch.no_grad()
    def _average(self) -> None:
        """Running mean of the weights (Polyak); short at first, so that the start is forgotten."""
        decay = min(self.plan.average, self.step / (self.step + 10))
        for mean, now in zip(self.averaged.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on as if nothing had happened."""
        return {
            "settings": self.settings, "step": self.step, "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "heads": self.heads.state_dict(), "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(), "sampler": self.sampler.rng.bit_generator.state,
        }  # fmt: skip

    def resume(self, state: dict[str, Any]) -> None:
        """Takes over a state of a run with the same settings; UsageError if they differ."""
        if state.get("settings") != self.settings:
            raise UsageError(
                "the checkpoint belongs to another plan, teacher or choice of recordings: choose "
                "another name for the run"
            )
        self.net.load_state_dict(state["net"])
        self.averaged.load_state_dict(state["averaged"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.sampler.rng.bit_generator.state = state["sampler"]
        self.step = state["step"]


def _hide(batch: Batch, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden frames sound like the average of their window, so that long filters see nothing."""
    hidden = []
    for spectra in (batch.mel, batch.tones):
        where = mask.repeat_interleave(spectra.shape[1] // mask.shape[1], 1)[..., None]
        hidden.append(torch.where(where, spectra.mean(1, keepdim=True), spectra))
    return hidden[0], hidden[1]


def train(trainer: Trainer, folder: Path, until: int | None = None) -> None:
    """Runs to a step (the end of the plan), from the folder's checkpoint where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "last.pt"
    if last.exists():
        trainer.resume(torch.load(last, weights_only=False))
    (folder / "settings.json").write_text(json.dumps(trainer.settings, indent=1) + "\n", "utf-8")
    end = trainer.plan.steps if until is None else until
    began, kept = time.monotonic(), []
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        while trainer.step < end:
            kept.append(trainer.advance())
            if trainer.step % trainer.plan.checkpoint_every == 0 or trainer.step == end:
                means = {k: round(float(np.mean([x[k] for x in kept])), 4) for k in kept[0]}
                elapsed = round(time.monotonic() - began, 1)
                log.write(json.dumps({"step": trainer.step, "elapsed_s": elapsed} | means) + "\n")
                log.flush()
                kept.clear()
                save(trainer, last)
    save(trainer, last)


def save(trainer: Trainer, path: Path) -> None:
    """Replaces the checkpoint atomically."""
    with replacing(path) as draft:
        torch.save(trainer.state(), draft)
