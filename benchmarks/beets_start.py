"""How much slower does `beet ls` start with the MESS plugin? A ratio to beets without it.

    python benchmarks/beets_start.py [RUNS]

An empty library, alternating runs with and without the plugin. CPU seconds of the process (user and
system) are compared, because they do not depend on what else the machine does; the wall clock's
median is given beside them. Each pair of runs gives one difference; medians are over the pairs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).resolve().parent.parent
BUDGET_S = 0.1


def start(folder: Path) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of one `beet ls`."""
    places = [str(CHECKOUT / place) for place in ("", "workers", "integrations")]
    variables = {**os.environ, "BEETSDIR": str(folder), "PYTHONPATH": os.pathsep.join(places)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "beets", "ls"], env=variables, check=True, capture_output=True
    )
    wall_s = time.perf_counter() - began_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return cpu_s, wall_s


def prepare(folder: Path, plugins: list[str]) -> Path:
    """A beets folder with an empty library."""
    folder.mkdir()
    config = {
        "directory": str(folder / "music"),
        "library": str(folder / "library.db"),
        "plugins": plugins,
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    start(folder)  # makes the database and the byte code
    return folder


def main() -> None:
    """Print the medians, the added time and the ratio; end with 1 where the budget is exceeded."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as root:
        plain = prepare(Path(root, "plain"), [])
        with_mess = prepare(Path(root, "mess"), ["mess"])
        pairs = [(start(plain), start(with_mess)) for _ in range(runs)]
    for number, unit in enumerate(("CPU", "wall")):
        without = median(pair[0][number] for pair in pairs)
        added = median(pair[1][number] - pair[0][number] for pair in pairs)
        ratio = (without + added) / without
        print(
            f"{unit}: {1000 * without:.0f} ms without, {1000 * added:+.0f} ms with MESS,"
            f" ratio {ratio:.2f}"
        )
        if unit == "CPU" and added > BUDGET_S:
            raise SystemExit(f"more than {1000 * BUDGET_S:.0f} ms added")


if __name__ == "__main__":
    main()
