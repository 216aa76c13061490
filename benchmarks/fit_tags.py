"""Fits the tags of mess-mini's space to what MusiCNN says, and says how well they are told.

    mess index AUDIO
    python -m benchmarks.musicnn_logits LIST AUDIO musicnn/MSD_musicnn --out logits.npz
    python -m benchmarks.fit_tags LIST AUDIO logits.npz [--out mess_plugin/heads/tags-mess-mini.npz]

Song vectors of the library of MESS_HOME → logits, by ridge regression. Cross-validated in ten folds
that tear no artist apart: for each tag the correlation with MusiCNN's logits, and the area under the
ROC curve for its top tenth. A tag is left out where it is a decade or no sound, or told worse than the
limits below. The probability of a tag is that of lying in that top tenth, calibrated on the held-out
folds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.musicnn_logits import TAGS
from mess_plugin.config import load_settings
from mess_plugin.evaluation.listing import read_listing
from mess_plugin.heads.fit import calibrate, ridge
from mess_plugin.heads.head import Head, key_of, write_head
from mess_plugin.model import Float32
from mess_plugin.search.engine import answering_space
from mess_plugin.services import connected
from mess_plugin.store import open_store

N_FOLDS, TOP = 10, 0.1
STRENGTHS = (0.1, 0.3, 1.0, 3.0)
LEAST_CORRELATION, LEAST_AUC = 0.6, 0.85
BAR = 0.5
NO_SOUND = {
    "00s": "a decade", "60s": "a decade", "70s": "a decade", "80s": "a decade", "90s": "a decade",
    "oldies": "a time", "beautiful": "a judgement", "sexy": "a judgement", "catchy": "a judgement",
    "party": "an occasion", "female vocalist": "the same as female vocalists",
    "chill": "the same as chillout", "electronica": "the same as electronic",
    "indie": "a way of publishing",
}  # fmt: skip


def vectors_of(audio: Path) -> tuple[str, dict[str, Float32]]:
    """The space, and song vectors by path below the folder."""
    settings = load_settings()
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        space = answering_space(store, ready)
        facts, vectors = store.filters.song_features(space)
    root = audio.absolute()
    return key_of(space), {
        str(Path(one.path).relative_to(root)): vector
        for one, vector in zip(facts, vectors, strict=True)
    }


def auc(scores: Float32, truth: Float32) -> float:
    """The area under the ROC curve."""
    order = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    n_true, n = int(truth.sum()), len(truth)
    return float(
        (order[truth.astype(bool)].sum() - n_true * (n_true - 1) / 2) / (n_true * (n - n_true))
    )


def main() -> None:
    """Parse the command line, fit, print a table and write the head."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("listing", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("logits", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    space, known = vectors_of(asked.audio)
    artists = {one.track: one.artist for one in read_listing(asked.listing)}
    paths: list[str] = []
    rows = []
    for file in asked.logits:
        with np.load(file) as found:
            paths += [str(path) for path in found["paths"]]
            rows.append(found["logits"])
    logits = np.concatenate(rows)
    kept = [i for i, path in enumerate(paths) if path in known]
    vectors = np.stack([known[paths[i]] for i in kept])
    logits = logits[kept]
    groups = sorted({artists[paths[i]] for i in kept})
    fold_of = {artist: place % N_FOLDS for place, artist in enumerate(
        np.random.default_rng(0).permutation(groups).tolist())}  # fmt: skip
    folds = np.array([fold_of[artists[paths[i]]] for i in kept])

    def held_out(strength: float) -> Float32:
        found = np.zeros_like(logits)
        for fold in range(N_FOLDS):
            out = folds == fold
            found[out] = ridge(vectors[~out], logits[~out], strength)(vectors[out])
        return found

    def correlations(found: Float32) -> list[float]:
        return [float(np.corrcoef(found[:, i], logits[:, i])[0, 1]) for i in range(len(TAGS))]

    tried = {strength: held_out(strength) for strength in STRENGTHS}
    strength = max(STRENGTHS, key=lambda one: np.mean(correlations(tried[one])))
    found = tried[strength]
    top = logits >= np.quantile(logits, 1 - TOP, axis=0)
    told, areas = correlations(found), [auc(found[:, i], top[:, i]) for i in range(len(TAGS))]
    print(f"{len(kept)} tracks by {len(groups)} artists, strength {strength}")
    print(f"all 50 tags: mean correlation {np.mean(told):.3f}, mean AUC {np.mean(areas):.3f}\n")
    print("| tag | correlation | AUC | |\n|---|---|---|---|")
    labels, curves = [], []
    for i in sorted(range(len(TAGS)), key=lambda i: -told[i]):
        why = NO_SOUND.get(TAGS[i], "")
        if not why and (told[i] < LEAST_CORRELATION or areas[i] < LEAST_AUC):
            why = "told too badly"
        print(
            f"| {TAGS[i]} | {told[i]:.2f} | {areas[i]:.2f} | {f'left out: {why}' if why else ''} |"
        )
        if not why:
            labels.append(i)
            curves.append(calibrate(found[:, i].astype(np.float64), top[:, i]))
    if asked.out:
        fitted = ridge(vectors, logits[:, labels], strength)
        slope, shift = (np.array(side, dtype=np.float32) for side in zip(*curves, strict=True))
        head = Head(
            "1", space, tuple(TAGS[i] for i in labels), fitted.mean, fitted.matrix, fitted.offset,
            slope, shift, BAR,
        )  # fmt: skip
        asked.out.write_bytes(write_head(head))
        print(f"\n{len(labels)} tags written to {asked.out}")


if __name__ == "__main__":
    main()
