"""A recipe's name is its text: what is written is what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mess_plugin.errors import UsageError
from mess_plugin.spaces.recipe import Recipe

names = st.text(st.characters(categories=["L", "N"], include_characters="-_"), min_size=1)
layers = st.none() | st.from_regex(r"[0-9]{1,2}([-,][0-9]{1,2})?", fullmatch=True)
seconds = st.floats(1e-3, 1e6, allow_nan=False)


@given(names, layers, seconds, seconds, st.floats(0.001, 1.0))
def test_round_trip(
    encoder: str, wanted: str | None, window_s: float, hop_s: float, coverage: float
) -> None:
    recipe = Recipe(encoder, wanted, window_s, hop_s, coverage=coverage)
    assert Recipe.parse(str(recipe)) == recipe


def test_the_usual_one_is_short() -> None:
    assert str(Recipe("descriptors", None, 5.0, 2.5)) == "descriptors||5/2.5"
    assert str(Recipe("descriptors", None, 5.0, 2.5, "bf16", 0.5)) == "descriptors+bf16||5/2.5|0.5"


@pytest.mark.parametrize(
    "text", ["", "descriptors", "a|b", "a|b|5", "a|b|5/x", "a|b|c|5/2", "a|b|5/2|0", "a|b|5/2|2"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no recipe"):
        Recipe.parse(text)
