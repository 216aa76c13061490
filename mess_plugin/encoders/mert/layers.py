"""Which hidden states to use: the words "6", "4-8" and "6,7", and their one canonical spelling."""

from __future__ import annotations

import re
from itertools import groupby

from mess_plugin.errors import ConfigError

_PART = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")


def parse_layers(spec: str, depth: int) -> tuple[int, ...]:
    """The states that `spec` names, ascending, each once; their mean is what is used.

    State 0 is the input of the first transformer layer, state k the output of layer k,
    1 <= k <= depth. Raises ConfigError for anything else.
    """
    states: set[int] = set()
    for part in spec.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise ConfigError("layers", spec, "write it like '6', '4-8' or '6,7'")
        first = int(found[1])
        last = int(found[2] or first)
        if not first <= last <= depth:
            raise ConfigError(
                "layers", spec, f"states run from 0 to {depth}, the smaller one first"
            )
        states.update(range(first, last + 1))
    return tuple(sorted(states))


def spell_layers(states: tuple[int, ...]) -> str:
    """The canonical spelling, equal for equal choices: (6, 7) → "6-7", (1, 4, 5) → "1,4-5"."""
    runs = groupby(enumerate(states), key=lambda pair: pair[1] - pair[0])
    ends = [[state for _, state in run] for _, run in runs]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in ends)
