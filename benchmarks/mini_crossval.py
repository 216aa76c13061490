"""Score mess-mini honestly: every query by weights that were trained and fitted without its album.

    python -m mess_plugin.pretraining LIST AUDIO WORK --musicnn DIR --leave-out 0/3 --name fold0 ...
    python -m benchmarks.mini_crossval LIST AUDIO --cache DIR --runs WORK/fold0 WORK/fold1 WORK/fold2

The database holds all recordings, whichever fold they are in. Tasks and figures are those of
dev_retrieval.py. Beside it the encoder `descriptors`, whitened .9, with paired differences.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.dev_retrieval import TREATMENTS, hear, middles, score
from mess_plugin import encoders
from mess_plugin.encoders.base import EncoderInfo, EncoderOptions
from mess_plugin.encoders.mini.encoder import BATCH, Mini, load, stacked
from mess_plugin.encoders.mini.spectra import MiniSpectra, spectra
from mess_plugin.evaluation import report
from mess_plugin.evaluation.excerpts import ExcerptCache
from mess_plugin.evaluation.listing import Role, read_listing
from mess_plugin.evaluation.repeats import Repeats
from mess_plugin.evaluation.tasks import TaskResult
from mess_plugin.evaluation.trials import draw_sections
from mess_plugin.model import Float32, Level, Projection
from mess_plugin.pretraining.folds import folds

BASELINE = "descriptors"


class Remembering:
    """mess-mini with any weights; the spectra of a window are made once for all of them."""

    def __init__(self) -> None:
        self._seen: dict[bytes, MiniSpectra] = {}
        self._mini: Mini | None = None

    def take(self, run: Path) -> None:
        """Go on with the weights of a run."""
        self._mini = load(EncoderOptions(weights=run))

    @property
    def mini(self) -> Mini:
        """The encoder with the weights at hand. Raises ValueError before `take`."""
        if self._mini is None:
            raise ValueError("no weights were taken")
        return self._mini

    @property
    def info(self) -> EncoderInfo:
        """See `Encoder`."""
        return self.mini.info

    @property
    def projections(self) -> Mapping[Level, Projection]:
        """See `Encoder`."""
        return self.mini.projections

    def encode(self, windows: Float32) -> Float32:
        """See `Encoder`."""
        parts = [windows[i : i + BATCH] for i in range(0, len(windows), BATCH)]
        heard = [self.mini.frames(stacked([self._spectra(w) for w in part])) for part in parts]
        return np.concatenate(heard)

    def _spectra(self, window: Float32) -> MiniSpectra:
        key = hashlib.sha256(window.tobytes()).digest()
        if key not in self._seen:
            self._seen[key] = spectra(window)
        return self._seen[key]


def only(result: TaskResult, albums: set[str]) -> TaskResult:
    """The queries of some albums."""
    kept = np.array([group in albums for group in result.groups])
    measures = {name: values[kept] for name, values in result.measures.items()}
    return TaskResult(result.task, measures, tuple(np.array(result.groups)[kept].tolist()))


def joined(parts: Sequence[TaskResult]) -> TaskResult:
    """The same task over several folds."""
    measures = {
        name: np.concatenate([part.measures[name] for part in parts]) for name in parts[0].measures
    }
    groups = tuple(group for part in parts for group in part.groups)
    return TaskResult(parts[0].task, measures, groups)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded excerpts")
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="one for each fold")
    parser.add_argument("--folds", type=int, help="where there are fewer runs than folds")
    parser.add_argument("--json", type=Path, help="write the results here")
    return parser.parse_args()


def main() -> None:
    """Score and print what the command line names."""
    arguments = _arguments()
    listed = read_listing(arguments.list)
    fold_of = folds(listed, arguments.folds or len(arguments.runs))
    recordings = [r for r in listed if r.role is not Role.OUT]
    cache = ExcerptCache(arguments.cache, 24_000)
    waveforms = middles(cache, arguments.audio, recordings)
    robust = [i for i, r in enumerate(recordings) if r.robustness]
    sections = [
        section
        for i in robust
        for section in draw_sections(waveforms[i], cache.rate_hz, i, recordings[i].track)
    ]
    repeats = {i: Repeats.of(waveforms[i]) for i in robust}
    parts: list[list[TaskResult]] = []
    plain = encoders.load(BASELINE, EncoderOptions())
    heard = hear(plain, cache, arguments.audio, recordings, waveforms, sections)
    scored = score(heard, TREATMENTS["whitened .9"], recordings, sections, repeats)
    beside: list[list[TaskResult]] = []
    encoder = Remembering()
    for fold, run in enumerate(arguments.runs):
        encoder.take(run)
        heard = hear(encoder, cache, arguments.audio, recordings, waveforms, sections)
        albums = {r.album for r, f in zip(listed, fold_of, strict=True) if f == fold}
        own = score(heard, None, recordings, sections, repeats)
        parts.append([only(result, albums) for result in own])
        beside.append([only(result, albums) for result in scored])
    table = {
        name: [joined(same) for same in zip(*results, strict=True)]
        for name, results in (("mess-mini", parts), (BASELINE, beside))
    }
    print(report.markdown(report.table(table)))
    print("\n" + report.markdown(report.differences(table, BASELINE)))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(table), indent=1) + "\n")


if __name__ == "__main__":
    main()
