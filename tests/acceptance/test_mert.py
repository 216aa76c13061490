"""MERT through the whole house: its own weights directory, a second space, nothing of the first lost.

The architecture and the file layout are the released ones; the weights are random, so only the path
is proven here, not the ear. The command is the one of the tests' own environment, which has torch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mess_plugin import embedded
from mess_plugin.encoders.mert.releases import MERT_95M
from tests.acceptance.conftest import SAMPLES, Mess
from tests.mert_checkpoint import write_checkpoint


@pytest.fixture
def mess_with_torch(tmp_path: Path) -> Iterator[Mess]:
    """`mess` beside the running Python, with the library of three samples already indexed."""
    home = tmp_path / "home"
    command = Mess(Path(sys.prefix), home)
    command("index", SAMPLES / "noiz2sa")
    yield command
    embedded.down(home)


def test_a_second_encoder_lives_beside_the_first(mess_with_torch: Mess, tmp_path: Path) -> None:
    mess = mess_with_torch
    weights = tmp_path / "mert"
    mess("index", "--encoder", "mert-95m", SAMPLES / "noiz2sa", code=1)  # no weights yet
    write_checkpoint(weights, MERT_95M)
    mess.environment["MESS_WEIGHTS"] = str(weights)
    mess("index", "--encoder", "mert-95m", SAMPLES / "noiz2sa")
    answer = mess.json("similar", "--encoder", "mert-95m", "stage 0")
    assert answer["query"]["space"].startswith("mert-95m@")
    assert len(answer["matches"]) == 2
    del mess.environment["MESS_WEIGHTS"]
    assert len(mess.json("similar", "stage 0")["matches"]) == 2
    encoders = {space["name"].split("@")[0] for space in mess.json("status")["spaces"]}
    assert "mert-95m" in encoders
    assert len(encoders) == 2
