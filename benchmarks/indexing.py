"""Where the time of indexing goes: CPU seconds per minute of audio, by stage, in one process.

    python benchmarks/indexing.py FOLDER [--encoder NAME] [--rounds N] [--musicnn FOLDER]

Each round takes every file once through each stage: decoding alone (no resampling), resampling to the
encoder's rate, metering loudness, the encoder with its windows, pooling with sections, facets (their
spectra and what is made of them), identity, tags, the peaks that the page draws on request, and
storing in an embedded database; then all of it together as a worker hears a file, without peaks and
database. For every kind of file (by its suffix) a table gives the median over rounds with the lowest
and highest, and each stage as a multiple of decoding with resampling from the same round, which is
what can be compared between machines.

Others in the same rounds, where they are at hand: `--musicnn musicnn/MSD_musicnn` runs that network,
ported to torch without its dead filters, over patches of 3 s; bliss, if it is installed
(`pip install bliss-audio`), describes each file. Both decode for themselves.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in a worker; before numpy is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")  # bliss

import av
import numpy as np

from mess_plugin import audio, embedded, encoders
from mess_plugin.analysis.hierarchy import embed, listen, summarise
from mess_plugin.audio.peaks import peaks_of
from mess_plugin.encoders.base import Encoder
from mess_plugin.encoders.mini.spectra import RATE_HZ as MINI_RATE_HZ
from mess_plugin.encoders.mini.spectra import spectra
from mess_plugin.facets import Loudness, extract
from mess_plugin.facets.loudness import LoudnessMeter
from mess_plugin.facets.statistics import FACET_RATE_HZ, Sketcher
from mess_plugin.library.hearing import hear_whole
from mess_plugin.library.tags import read_tags
from mess_plugin.library.walk import Walk
from mess_plugin.model import Level, Waveform
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.spaces.vectors import raw_space
from mess_plugin.store import Store, open_store

T = TypeVar("T")
Round = dict[str, float]

STAGES = (
    "decode", "resample", "loudness", "encode", "pool", "facets", "identity", "tags", "peaks", "store",
)  # fmt: skip
TOGETHER = "everything"  # hearing, identity and tags; without peaks and database
PATCH_S, PATCH_SPECTRA = 3.0, 187  # what MusiCNN was published for


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default=encoders.DEFAULT_ENCODER)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--musicnn", type=Path, help="a folder of the package's checkpoints")
    options = parser.parse_args()
    encoder = encoders.load(options.encoder)
    others = others_at_hand(options.musicnn)
    kinds: dict[str, list[Path]] = defaultdict(list)
    for seen in Walk([str(options.folder.absolute())]):
        kinds[Path(seen.path).suffix].append(Path(seen.path))
    with (
        tempfile.TemporaryDirectory() as home,
        embedded.lease(Path(home)) as held,
        open_store(held.endpoints.database_url) as store,
    ):
        rounds = [
            {kind: measure(files, encoder, store, others) for kind, files in kinds.items()}
            for _ in range(options.rounds)
        ]
        embedded.down(Path(home))
    for kind, files in sorted(kinds.items()):
        report([one[kind] for one in rounds], f"{len(files)} {kind} files")


def others_at_hand(musicnn: Path | None) -> dict[str, Callable[[Path], object]]:
    """What other systems do with a file, by name."""
    found: dict[str, Callable[[Path], object]] = {}
    if musicnn is not None:
        found["musicnn"] = _musicnn(musicnn)
    if find_spec("bliss_audio") is not None:
        analyse = import_module("bliss_audio").Song
        found["bliss"] = lambda path: analyse(str(path))
    return found


def measure(
    files: list[Path], encoder: Encoder, store: Store, others: dict[str, Callable[[Path], object]]
) -> Round:
    """CPU seconds of each stage per minute of audio, over all files."""
    recipe = Recipe(encoder.info.name, None, 5.0, 2.5)
    space = raw_space(store, recipe, encoder)
    totals = dict.fromkeys((*STAGES, TOGETHER, *others), 0.0)
    minutes = 0.0
    for path in files:
        decoding_s, _ = _timed(partial(_decode_only, path))
        with_resampling_s, blocks = _timed(partial(_blocks, path, encoder.info.rate_hz))
        metered_s, loudness = _timed(partial(_metered, path, encoder.info.rate_hz))
        encoding_s, timeline = _timed(partial(listen, blocks, encoder, "benchmark"))
        pooling_s, analysis = _timed(
            partial(summarise, timeline, encoder.info.pooling, window_s=5.0, hop_s=2.5)
        )
        sound = blocks
        if encoder.info.rate_hz != FACET_RATE_HZ:
            sound = _blocks(path, FACET_RATE_HZ)
        facets_s, _ = _timed(partial(_facets, sound, loudness))
        identity_s, _ = _timed(partial(audio.identify, path))
        tags_s, _ = _timed(partial(read_tags, path))
        peaks_s, _ = _timed(partial(peaks_of, path))
        together_s, _ = _timed(partial(hear_whole, path, encoder, recipe, None))
        for name, work in others.items():
            totals[name] += _timed(partial(work, path))[0]
        track_id = store.library.save(str(path), analysis.duration_s, None)
        levels = {level: embed(analysis, level, encoder.projections) for level in Level}
        started_s = time.perf_counter()  # wall clock: the server's time counts
        with store.transaction():
            store.embeddings.write(space, track_id, levels)
        totals["store"] += time.perf_counter() - started_s
        totals["decode"] += decoding_s
        totals["resample"] += with_resampling_s - decoding_s
        totals["loudness"] += metered_s - with_resampling_s
        totals["encode"] += encoding_s
        totals["pool"] += pooling_s
        totals["facets"] += facets_s
        totals["identity"] += identity_s
        totals["tags"] += tags_s
        totals["peaks"] += peaks_s
        totals[TOGETHER] += together_s + identity_s + tags_s
        minutes += analysis.duration_s / 60
    return {stage: seconds / minutes for stage, seconds in totals.items()}


def _blocks(path: Path, rate_hz: int) -> list[Waveform]:
    with audio.decode(path, rate_hz) as decoding:
        return list(decoding)


def _metered(path: Path, rate_hz: int) -> Loudness:
    meter = LoudnessMeter()
    with audio.decode(path, rate_hz, tap=meter.push) as decoding:
        for _ in decoding:
            pass
    return meter.finish()


def _facets(blocks: list[Waveform], loudness: Loudness) -> None:
    sketcher = Sketcher()
    for block in blocks:
        sketcher.add(block)
    sketch = sketcher.finish()
    if sketch is not None:
        extract.summarise(sketch, loudness)


def _decode_only(path: Path) -> None:
    with av.open(str(path)) as container:
        for _ in container.decode(audio=0):
            pass


def _musicnn(folder: Path) -> Callable[[Path], object]:
    """Decodes a file and runs spectra and network over its patches."""
    import torch  # noqa: PLC0415

    from mess_plugin.pretraining.musicnn import MusiCNN  # noqa: PLC0415

    torch.set_num_threads(1)
    network = MusiCNN(folder)
    patch = int(PATCH_S * MINI_RATE_HZ)

    @torch.no_grad()
    def run(path: Path) -> None:
        sound = np.concatenate(_blocks(path, MINI_RATE_HZ))
        for start in range(0, len(sound) - patch + 1, patch):
            mel = spectra(sound[start : start + patch]).mel[:PATCH_SPECTRA]
            network(torch.from_numpy(mel)[None])

    return run


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of a piece of work, and its result."""
    started_s = cpu_s()
    result = work()
    return cpu_s() - started_s, result


def cpu_s() -> float:
    """CPU seconds of this process so far, in user mode and for it in the kernel."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(rounds: list[Round], title: str) -> None:
    """A table of medians with the spread over rounds."""
    print(f"{title}, {len(rounds)} rounds; CPU seconds per minute of audio")
    print(f"{'stage':10} {'median':>8} {'lowest':>8} {'highest':>8} {'× resampled':>12}")
    for stage in rounds[0]:
        values = [one[stage] for one in rounds]
        ratio = statistics.median(one[stage] / (one["decode"] + one["resample"]) for one in rounds)
        print(
            f"{stage:10} {statistics.median(values):8.4f} {min(values):8.4f} "
            f"{max(values):8.4f} {ratio:12.2f}"
        )
    print()


if __name__ == "__main__":
    main()
