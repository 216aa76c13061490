"""Render the controlled set: the same pieces in several instrumentations, faster and transposed.

    python benchmarks/render_scores.py OUT
    python benchmarks/render_scores.py OUT --training 60 --sound-font A.sf2 --sound-font B.sf2

Needs music21 (its corpus holds the scores), the program fluidsynth and a General MIDI sound font.
OUT gets one FLAC a rendering, 30 s long, mono at 24 kHz, and `list.tsv` that says what each is. The
scores are in music21's corpus under their own terms, so nothing rendered is kept with MESS.

With --training it renders other pieces of the corpus, each in four instrumentations, keys and tempos
and with the sound fonts in turn, and `list.tsv` is one that `mess pretrain --also` reads.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import music21

LENGTH_S = 30.0
HEARD_MEASURES = 48  # more than LENGTH_S holds, and quicker to work with than whole movements
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

PIECES = (
    "bach/bwv66.6", "bach/bwv269", "bach/bwv846", "beethoven/opus18no1/movement1",
    "beethoven/opus59no1/movement2", "mozart/k545/movement1_exposition", "mozart/k155/movement1",
    "mozart/k80/movement1", "haydn/opus1no1/movement1", "haydn/opus74no1/movement3",
    "schumann_robert/opus48no2", "schumann_clara/polonaise_op1n1",
    "schumann_clara/polonaise_op1n3", "chopin/mazurka06-2", "joplin/maple_leaf_rag",
    "corelli/opus3no1/1grave", "handel/rinaldo/Lascia_chio_pianga", "schubert/Lindenbaum",
    "verdi/laDonnaEMobile", "monteverdi/madrigal.3.1.mxl", "palestrina/Agnus_01",
)  # fmt: skip
"""21 pieces of the corpus; those that this release of music21 lacks are refused by name."""

PALETTE = {
    "piano": (0,),
    "harpsichord": (6,),
    "church organ": (19,),
    "nylon guitar": (24,),
    "string ensemble": (48,),
    "brass": (56, 60, 57, 58),
    "woodwinds": (73, 68, 71, 70),
    "voices": (52,),
}
"""Instrumentations: General MIDI programs (from 0), given to the parts of a score in turn."""


NO_MUSIC = ("demos", "theoryExercises")  # folders of the corpus

SEMITONES = (0, -3, 2, 4)
SPEEDS = (1.0, 0.9, 1.1, 1.2)
"""Of the four renderings of a piece for training."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """One row of list.tsv. bpm: of quarter notes; key: as analysed from the score's notes."""

    file: str
    piece: str
    instrumentation: str
    variant: str
    bpm: float
    key: str


def main() -> None:
    """Parse the command line and render what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--sound-font", type=Path, action="append")
    parser.add_argument("--training", type=int, metavar="N", help="render N other pieces")
    arguments = parser.parse_args()
    fonts: list[Path] = arguments.sound_font or [SOUND_FONT]
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    if arguments.training:
        for number, name in enumerate(other_pieces(arguments.training)):
            rows += render_for_training(name, number, arguments.out, fonts)
            print(name, flush=True)
    else:
        for number, name in enumerate(PIECES):
            rows += map(asdict, render_piece(name, number, arguments.out, fonts[0]))
            print(name, flush=True)
    with (arguments.out / "list.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def other_pieces(n: int) -> list[str]:
    """Names of n scores of the corpus that are not in the controlled set, from its folders in turn."""
    known = {name.removesuffix(".mxl").split("/movement")[0] for name in PIECES}
    root = Path(music21.common.getCorpusFilePath())
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in sorted(music21.corpus.getPaths(fileExtensions=(".mxl", ".xml", ".krn"))):
        name = path.relative_to(root).as_posix()
        folder = name.split("/")[0]
        if folder not in NO_MUSIC and not any(name.startswith(one) for one in known):
            by_folder[folder].append(name)
    rounds = zip_longest(*(by_folder[folder] for folder in sorted(by_folder)))
    return [name for names in rounds for name in names if name is not None][:n]


def render_for_training(
    name: str, number: int, out: Path, fonts: Sequence[Path]
) -> list[dict[str, str]]:
    """Four renderings that differ in everything but the notes; rows for `mess pretrain`."""
    score = music21.corpus.parse(name).measures(0, HEARD_MEASURES)
    slug = name.replace("/", "-").rpartition(".")[0]
    rows = []
    for step, (semitones, speed) in enumerate(zip(SEMITONES, SPEEDS, strict=True)):
        instruments = list(PALETTE)[(number + 3 * step) % len(PALETTE)]
        target = out / f"{slug}.{instruments.replace(' ', '-')}.flac"
        if not target.exists():
            bpm = (80.0, 96.0, 112.0)[number % 3] * speed
            midi = midi_of(score, PALETTE[instruments], semitones, bpm)
            synthesise(midi, fonts[(number + step) % len(fonts)], target)
        rows.append({
            "album": slug, "track": target.name, "package": "music21", "artist_id": slug,
            "mixed": "0", "eval_role": "-", "robustness": "0",
        })  # fmt: skip
    return rows


def render_piece(name: str, number: int, out: Path, sound_font: Path) -> list[Rendering]:
    """Three instrumentations as written; the first also 12 % faster and three semitones higher."""
    names = list(PALETTE)
    n = len(names)
    chosen = [names[(number + step) % n] for step in (0, 3, 5)]
    slug = name.replace("/", "-").removesuffix(".mxl")
    bpm = (72.0, 88.0, 104.0, 120.0, 136.0)[number % 5]
    score = music21.corpus.parse(name).measures(0, HEARD_MEASURES)
    key = score.analyze("key")
    jobs = [(instruments, "plain", 0, 1.0) for instruments in chosen]
    jobs += [(chosen[0], "faster", 0, 1.12), (chosen[0], "higher", 3, 1.0)]
    rows = []
    for instruments, variant, semitones, speed in jobs:
        target = out / f"{slug}.{instruments.replace(' ', '-')}.{variant}.flac"
        if not target.exists():
            midi = midi_of(score, PALETTE[instruments], semitones, bpm * speed)
            synthesise(midi, sound_font, target)
        sounding = key.transpose(semitones) if semitones else key
        label = f"{sounding.tonic.name.replace('-', 'b')} {sounding.mode}"
        rows.append(Rendering(target.name, slug, instruments, variant, bpm * speed, label))
    return rows


def midi_of(
    score: music21.stream.Score, programs: tuple[int, ...], semitones: int, bpm: float
) -> bytes:
    """A Standard MIDI File of the sounding score at one steady tempo."""
    sounding = score.transpose(semitones) if semitones else score
    tracks = []
    for place, part in enumerate(sounding.parts):
        channel = place if place < 9 else place + 1  # the tenth channel is for drums
        notes = []
        for element in part.flatten().notes:
            if isinstance(element, music21.harmony.ChordSymbol) or element.duration.isGrace:
                continue
            start = round(float(element.offset) * 480)
            if start > LENGTH_S * bpm / 60 * 480:
                break
            length = max(30, round(float(element.quarterLength) * 480))
            for pitch in element.pitches:
                notes.append((start, 0x90, pitch.midi, 80))
                notes.append((start + length - 10, 0x80, pitch.midi, 0))
        tracks.append(_track(channel % 16, programs[place % len(programs)], sorted(notes)))
    tempo = round(60e6 / bpm).to_bytes(3, "big")
    conductor = b"\x00\xff\x51\x03" + tempo + b"\x00\xff\x2f\x00"
    chunks = [conductor, *tracks]
    header = b"MThd" + (6).to_bytes(4, "big") + (1).to_bytes(2, "big")
    header += len(chunks).to_bytes(2, "big") + (480).to_bytes(2, "big")
    return header + b"".join(b"MTrk" + len(c).to_bytes(4, "big") + c for c in chunks)


def _track(channel: int, program: int, notes: list[tuple[int, int, int, int]]) -> bytes:
    data = bytes((0, 0xC0 | channel, program))
    now = 0
    for tick, status, pitch, velocity in notes:
        data += _varied(tick - now) + bytes((status | channel, pitch, velocity))
        now = tick
    return data + b"\x00\xff\x2f\x00"


def _varied(value: int) -> bytes:
    """A MIDI variable-length quantity."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | (value & 0x7F))
    return bytes(reversed(digits))


def synthesise(midi: bytes, sound_font: Path, target: Path) -> None:
    """MIDI → FluidSynth → the first LENGTH_S seconds, loudest peak at -1 dB or below, as FLAC."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = f"{folder}/score.mid", f"{folder}/sound.wav"
        Path(score).write_bytes(midi)
        synth = ["fluidsynth", "-ni", "-g", "0.4", "-r", "48000", "-F", sound]
        synth += [str(sound_font), score]
        subprocess.run(synth, check=True, capture_output=True)
        partial = target.with_name(f".{target.name}")
        convert = ["ffmpeg", "-v", "error", "-y", "-i", sound, "-t", str(LENGTH_S), "-ac", "1"]
        subprocess.run([*convert, "-ar", "24000", "-f", "flac", str(partial)], check=True)
        partial.replace(target)


if __name__ == "__main__":
    main()
