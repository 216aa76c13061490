"""Fine-tuning of MERT with low-rank adapters, from pairs of tracks that belong together.

InfoNCE (A. van den Oord et al., 2018; temperature 0.1) on mean states of 5 s windows: a window of one
track must find a window of the other among those of other pairs. Adapters (LoRA, by `peft`) sit on the
projections of attention; all other weights stay. Tracks tied by a pair or by an artist form a group;
some groups are held out, and the adapters are worth keeping only if their comparisons come out better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mess_plugin import audio
from mess_plugin.analysis.pooling import unit
from mess_plugin.analysis.windows import slide
from mess_plugin.encoders.mert import checkpoint, encoder, hubert, weights
from mess_plugin.encoders.mert.releases import RATE_HZ, WINDOW_S, Release
from mess_plugin.errors import UsageError
from mess_plugin.metric.cross_validation import CERTAIN, LEAST_GROUPS, groups_of
from mess_plugin.metric.judgements import Judgements, compared
from mess_plugin.metric.linear_map import leads
from mess_plugin.model import Float32
from mess_plugin.search.preferences import certainty

TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")
N_WINDOWS = 4
"""Of a track, evenly spread, which are kept in memory: 2 MB."""
_TEMPERATURE = 0.1
_HELD_OUT = 0.3  # share of the groups
_CLIP = 1.0

Pairs = Sequence[tuple[int, int]]


class TuningPlan(msgspec.Struct, frozen=True):
    """How to tune."""

    state: int
    """Index of the hidden state, 1 or higher."""
    steps: int = 200
    pairs_a_step: int = 8
    rank: int = 8
    rate: float = 3e-4
    seed: int = 0


class TuningTrial(msgspec.Struct, frozen=True):
    """What tuning did to comparisons of tracks it did not see."""

    n_fitted: int
    """Pairs that were learned from."""
    n_groups: int
    """Held-out groups of tracks."""
    before_right: float
    """Share of held-out comparisons in the right order, mean over groups, in [0, 1]."""
    after_right: float
    certainty: float
    """The gain in its standard errors."""
    first_loss: float
    last_loss: float
    """Means of the first and the last tenth of the steps."""

    @property
    def helps(self) -> bool:
        """Whether the gain is beyond chance."""
        return self.certainty >= CERTAIN


class Tuned(msgspec.Struct, frozen=True):
    """Adapters after training, and what they are worth."""

    model: Any
    """peft's model; `save` writes its adapters."""
    trial: TuningTrial

    def save(self, folder: Path) -> None:
        """Write `ADAPTER_FILES` into a folder that is there."""
        self.model.save_pretrained(folder, safe_serialization=True)
        (folder / "README.md").unlink(missing_ok=True)


def tied_groups(pairs: Pairs, artists: Mapping[int, str | None]) -> dict[int, int]:
    """Track → the smallest id of those that pairs and artists, compared as given, tie it to."""
    parent = {track: track for pair in pairs for track in pair}

    def root(track: int) -> int:
        while parent[track] != track:
            track = parent[track]
        return track

    first_of: dict[str, int] = {}
    ties = list(pairs)
    for track in sorted(parent):
        if artist := artists.get(track):
            ties.append((first_of.setdefault(artist, track), track))
    for one, other in ties:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return {track: root(track) for track in parent}


def divided(pairs: Pairs, groups: Mapping[int, int], seed: int) -> tuple[Pairs, Pairs]:
    """(pairs to learn from, held-out pairs): no group is in both. Raises UsageError for too few."""
    names = np.array(sorted(set(groups.values())))
    n_held = round(_HELD_OUT * len(names))
    if n_held < LEAST_GROUPS:
        raise UsageError(
            f"the pairs tie their tracks to {len(names)} groups, artists included: at least "
            f"{int(np.ceil((LEAST_GROUPS - 0.5) / _HELD_OUT))} are needed to tell whether it helps"
        )
    held = set(np.random.default_rng(seed).permutation(names)[:n_held].tolist())
    fitted = [pair for pair in pairs if groups[pair[0]] not in held]
    return fitted, [pair for pair in pairs if groups[pair[0]] in held]


def hear(path: Path) -> Float32:
    """N_WINDOWS evenly spread windows of a file, (n, n_samples) at 24 kHz; fewer of a short one.

    Raises AudioError.
    """
    n_samples = round(WINDOW_S * RATE_HZ)
    with audio.decode(path, RATE_HZ) as decoding:
        windows = [window.waveform for window in slide(decoding, n_samples, n_samples)]
    if len(windows[0]) < n_samples:
        windows = [np.resize(windows[0], n_samples)]
    chosen = np.unique(np.linspace(0, len(windows) - 1, N_WINDOWS).round().astype(int))
    return np.stack([windows[place] for place in chosen])


def tune(
    release: Release,
    files: weights.WeightFiles,
    pairs: Pairs,
    artists: Mapping[int, str | None],
    heard: Mapping[int, Float32],
    plan: TuningPlan,
    *,
    on_step: Callable[[int, float], object] = lambda _step, _loss: None,
) -> Tuned:
    """Learn adapters. heard: track → (n, n_samples) windows at 24 kHz.

    Raises UsageError where there are too few pairs, WrongWeights for weights of another shape.
    """
    groups = tied_groups(pairs, artists)
    fitted, held = divided(pairs, groups, plan.seed)
    tensors = hubert.checked(release, checkpoint.read_tensors(release, files.weights))
    torch.manual_seed(plan.seed)
    model = _with_adapters(hubert.build(release.architecture, tensors, (plan.state,)).model, plan)
    tracks = sorted({track for pair in held for track in pair})
    before = _vectors(model, [heard[track] for track in tracks])
    losses = _train(model, fitted, groups, heard, plan, on_step)
    after = _vectors(model, [heard[track] for track in tracks])
    trial = _compared(held, tracks, before, after, plan.seed)
    tenth = max(1, len(losses) // 10)
    return Tuned(
        model,
        msgspec.structs.replace(
            trial,
            n_fitted=len(fitted),
            first_loss=float(np.mean(losses[:tenth])),
            last_loss=float(np.mean(losses[-tenth:])),
        ),
    )


def _with_adapters(model: nn.Module, plan: TuningPlan) -> Any:
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415  the extra `tune`

    config = LoraConfig(
        r=plan.rank, lora_alpha=2 * plan.rank, target_modules=list(TARGETS), bias="none"
    )
    return get_peft_model(model, config)


def _train(
    model: Any,
    pairs: Pairs,
    groups: Mapping[int, int],
    heard: Mapping[int, Float32],
    plan: TuningPlan,
    on_step: Callable[[int, float], object],
) -> list[float]:
    rng = np.random.default_rng(plan.seed)
    learned = [values for values in model.parameters() if values.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=plan.rate)
    losses = []
    for step in range(plan.steps):
        chosen = _batch(pairs, groups, plan.pairs_a_step, rng)
        windows = [heard[pair[side]] for side in (0, 1) for pair in chosen]
        batch = np.stack([one[rng.integers(len(one))] for one in windows])
        loss = _info_nce(_means(model, batch))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learned, _CLIP)
        optimiser.step()
        losses.append(float(loss.detach()))
        on_step(step + 1, losses[-1])
    return losses


def _batch(
    pairs: Pairs, groups: Mapping[int, int], size: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Pairs of different groups: what is tied is not to be told apart."""
    chosen: dict[int, tuple[int, int]] = {}
    for place in rng.permutation(len(pairs)).tolist():
        chosen.setdefault(groups[pairs[place][0]], pairs[place])
        if len(chosen) == size:
            break
    return list(chosen.values())


def _means(model: Any, windows: Float32) -> torch.Tensor:
    """(n, dim): the mean state of each window."""
    states = model(encoder.normalise(torch.from_numpy(windows))).last_hidden_state
    means: torch.Tensor = states.mean(dim=1)
    return means


def _info_nce(means: torch.Tensor) -> torch.Tensor:
    """means: (2 n, dim), the first n one side of each pair and the rest the other."""
    one, other = functional.normalize(means, dim=1).chunk(2)
    likeness = one @ other.T / _TEMPERATURE
    right = torch.arange(len(one))
    return (
        functional.cross_entropy(likeness, right) + functional.cross_entropy(likeness.T, right)
    ) / 2


def _vectors(model: Any, heard: Sequence[Float32]) -> Float32:
    """(n, dim) of unit length, a row for each track."""
    with torch.inference_mode():
        return unit(np.stack([_means(model, one).mean(dim=0).numpy() for one in heard]))


def _compared(
    held: Pairs, tracks: Sequence[int], before: Float32, after: Float32, seed: int
) -> TuningTrial:
    """The held-out pairs against others of the held-out tracks, before and after."""
    row = {track: place for place, track in enumerate(tracks)}
    similar = tuple((row[one], row[other]) for one, other in held)
    comparisons, _ = compared(Judgements(similar, (), ()), list(row.values()), seed=seed)
    groups = groups_of(comparisons)
    right = [leads(vectors, comparisons) > 0 for vectors in (before, after)]
    names = np.unique(groups)
    shares = [np.array([one[groups == name].mean() for name in names]) for one in right]
    return TuningTrial(
        0,
        len(shares[0]),
        float(shares[0].mean()),
        float(shares[1].mean()),
        certainty(shares[1] - shares[0]),
        0.0,
        0.0,
    )
