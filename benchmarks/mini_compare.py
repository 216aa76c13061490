r"""Compare ways to train mess-mini, in pairs: the album task, by weights that never heard the album.

    python -m benchmarks.mini_compare LIST AUDIO --cache DIR --folds 3 --musicnn MSD_musicnn \
        --runs full=WORK/fold0,WORK/fold1,WORK/fold2 --runs local=WORK/nolocal0,...

Each way gives its runs for fold 0, 1, ...; where one gives fewer runs than there are folds, the queries
of the others are left out for all. Queries of a fold are asked of the run that was trained without it;
the database holds all recordings. Beside them: the encoder `descriptors` (whitened .9) and, with
--musicnn, MusiCNN's averaged features at one level (z-score), neither of which needs training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.dev_retrieval import middles
from benchmarks.mini_crossval import Remembering, joined, only
from mess_plugin import encoders
from mess_plugin.analysis.pooling import project
from mess_plugin.encoders.base import EncoderOptions
from mess_plugin.encoders.mini.spectra import spectra
from mess_plugin.evaluation import report, tasks
from mess_plugin.evaluation.embedding import embed_recording, fit_whitening, fit_zscore
from mess_plugin.evaluation.excerpts import ExcerptCache
from mess_plugin.evaluation.listing import ListedRecording, Role, read_listing
from mess_plugin.evaluation.tasks import TaskResult
from mess_plugin.model import Float32, Waveform
from mess_plugin.pretraining.folds import folds
from mess_plugin.pretraining.musicnn import MusiCNN


@torch.no_grad()
def musicnn_songs(folder: Path, waveforms: Sequence[Waveform]) -> Float32:
    """(n, width) means of MusiCNN's features over each recording, brought to one level."""
    net = MusiCNN(folder)
    heard = [net(torch.from_numpy(spectra(w).mel)[None])[0].mean(0).numpy() for w in waveforms]
    return np.stack(heard)


def peers(
    waveforms: Sequence[Waveform], recordings: Sequence[ListedRecording], musicnn: Path | None
) -> dict[str, TaskResult]:
    """The album task by systems that are not trained here."""
    plain = encoders.load("descriptors", EncoderOptions())
    songs = np.stack([embed_recording(plain, w).song for w in waveforms])
    vectors = {"descriptors": project(songs, fit_whitening(songs, 0.9))}
    if musicnn is not None:
        songs = musicnn_songs(musicnn, waveforms)
        vectors["MusiCNN"] = project(songs, fit_zscore(songs))
    return {name: tasks.album_retrieval(v @ v.T, recordings) for name, v in vectors.items()}


def main() -> None:
    """Parse the command line, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--runs", action="append", required=True, metavar="NAME=RUN,RUN,...")
    parser.add_argument("--musicnn", type=Path, help="folder MSD_musicnn of the package musicnn")
    parser.add_argument("--json", type=Path, help="write the results here, query by query")
    arguments = parser.parse_args()

    listed = read_listing(arguments.list)
    fold_of = folds(listed, arguments.folds)
    recordings = [r for r in listed if r.role is not Role.OUT]
    waveforms = middles(ExcerptCache(arguments.cache, 24_000), arguments.audio, recordings)
    runs = {
        name: [Path(run) for run in text.split(",")]
        for name, _, text in (given.partition("=") for given in arguments.runs)
    }
    albums = [
        {r.album for r, f in zip(listed, fold_of, strict=True) if f == fold}
        for fold in range(min(map(len, runs.values())))
    ]
    encoder = Remembering()
    results: dict[str, list[TaskResult]] = {}
    for name, paths in runs.items():
        parts = []
        for fold, path in zip(albums, paths, strict=False):
            encoder.take(path)
            songs = np.stack([embed_recording(encoder, w).song for w in waveforms])
            parts.append(only(tasks.album_retrieval(songs @ songs.T, recordings), fold))
        results[name] = [joined(parts)]
    for name, result in peers(waveforms, recordings, arguments.musicnn).items():
        results[name] = [joined([only(result, fold) for fold in albums])]
    print(report.markdown(report.table(results)))
    for name in [next(iter(runs)), *(results.keys() - runs.keys())]:
        print("\n" + report.markdown(report.differences(results, name)))
    if arguments.json:
        found = {k: {m: v.tolist() for m, v in r[0].measures.items()} for k, r in results.items()}
        arguments.json.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
