"""How surely duplicates are told from other tracks.

    python benchmarks/duplicates.py vary FILE… --to FOLDER     twelve variants of each file, by ffmpeg
    mess index FILE… FOLDER OTHER_MUSIC…                       into a home of its own
    python benchmarks/duplicates.py judge                      asks that home (MESS_HOME)

A variant is called ALBUM__NAME--VARIANT; what has the same ALBUM and NAME is a duplicate, all else is
not. `judge` lays each track along its candidates, as `mess duplicates find` does, and stores nothing.
"""

from __future__ import annotations

import argparse
import random
import subprocess
from collections import Counter
from pathlib import Path

from mess_plugin.config import load_settings
from mess_plugin.duplicates.finding import links_of
from mess_plugin.search.engine import answering_space
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.store import open_store

NOISE = "anoisesrc=color=pink:amplitude=0.02:sample_rate=44100"
HALL = (
    "[0:a]aresample=44100,atempo=1.03,aecho=0.8:0.7:60|110|170:0.5|0.35|0.25[a];"
    "[a][1:a]amix=inputs=2:duration=first:weights=1 1"
)
TAKE = (
    "[0:a]aresample=44100,WANDER,aecho=0.8:0.7:60|110|170:0.5|0.35|0.25,bass=g=2[a];"
    "[a][1:a]amix=inputs=2:duration=first:weights=1 1"
)
VARIANTS = {
    "mp3": ("mp3", ["-b:a", "64k"]),
    "opus": ("opus", ["-b:a", "48k"]),
    "pitch": ("mp3", ["-b:a", "160k", "-af",
        "aresample=44100,asetrate=44100*1.059463,aresample=44100,atempo=0.943874"]),
    "tempo": ("mp3", ["-b:a", "160k", "-af", "atempo=1.06"]),
    "remaster": ("mp3", ["-b:a", "192k", "-af", "bass=g=4,treble=g=4,"
        "acompressor=threshold=-20dB:ratio=4:makeup=4,alimiter=limit=0.9"]),
    "gain": ("flac", ["-af", "volume=-7dB"]),
    "balance": ("mp3", ["-b:a", "192k", "-af", "bass=g=-3,treble=g=4"]),
    "limit": ("mp3", ["-b:a", "192k", "-af", "volume=9dB,alimiter=limit=0.95:level=disabled"]),
    "wander": ("mp3", ["-b:a", "192k", "-af", "WANDER"]),
    "take": ("mp3", ["-b:a", "160k", "-f", "lavfi", "-i", NOISE, "-filter_complex", TAKE]),
    "trim": ("mp3", ["-b:a", "128k", "-af", "atrim=start=3.1,asetpts=PTS-STARTPTS"]),
    "hall": ("mp3", ["-b:a", "128k", "-f", "lavfi", "-i", NOISE, "-filter_complex", HALL]),
}  # fmt: skip


def wander(name: str) -> str:
    """A filter by which the tempo changes by up to 5 % every few seconds, otherwise for each file."""
    rng = random.Random(name)
    turns, at_s = [], 0.0
    for _ in range(40):
        turns.append(f"{at_s:.1f} atempo tempo {rng.uniform(0.95, 1.05):.3f}")
        at_s += rng.uniform(4, 10)
    return f"asendcmd=c='{';'.join(turns)}',atempo=1.0"


def vary(files: list[Path], to: Path) -> None:
    """Write all variants of some files."""
    to.mkdir(parents=True, exist_ok=True)
    for file in files:
        own = f"{file.parent.name}__{file.stem}"
        for name, (ending, plain) in VARIANTS.items():
            target = to / f"{own}--{name}.{ending}"
            options = [option.replace("WANDER", wander(own)) for option in plain]
            inputs = [option for option in options if option in ("-f", "lavfi", "-i", NOISE)]
            rest = [option for option in options if option not in inputs]
            subprocess.run(
                ["ffmpeg", "-v", "error", "-y", "-i", file, *inputs, "-vn", "-map_metadata", "-1",
                    *rest, target],
                check=True,
            )  # fmt: skip


def judge() -> None:
    """Print how many variants of each kind were found, and every link of two that are not one."""
    with connected(load_settings()) as home, open_store(home.database_url or "") as store:
        ready = resolve_settings(store, home)
        space = answering_space(store, ready)
        tracks = store.library.get(store.embeddings.tracks(space))
        names = {i: _name(Path(track.path or "")) for i, track in tracks.items()}
        links = {link for i in sorted(names) for link in links_of(store, ready, space, i)}
    found: Counter[tuple[str, str]] = Counter()
    for link in sorted(links, key=lambda one: (one.one_id, one.other_id)):
        (own, variant), (other, other_variant) = names[link.one_id], names[link.other_id]
        if own != other:
            print("other music:", own, "|", other, link.kind, link.evidence)
        elif "" in (variant, other_variant):
            found[variant or other_variant, link.kind] += 1
    wanted = Counter(variant for _name, variant in names.values() if variant)
    for (variant, kind), n in sorted(found.items()):
        print(f"{variant:10} {kind:8} {n} of {wanted[variant]}")
    print(len(names), "tracks,", sum(not variant for _name, variant in names.values()), "originals")


def _name(path: Path) -> tuple[str, str]:
    """(album and name, variant or nothing)."""
    if "--" in path.stem:
        name, _, variant = path.stem.rpartition("--")
        return name, variant
    return f"{path.parent.name}__{path.stem}", ""


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("vary", "judge"))
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--to", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "judge":
        judge()
    elif arguments.to is None:
        parser.error("vary needs --to FOLDER")
    else:
        vary(arguments.files, arguments.to)


if __name__ == "__main__":
    main()
