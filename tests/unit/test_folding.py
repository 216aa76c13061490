"""One folding of text: what people type and what files say come out alike."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mess_plugin.folding import fold, same
from mess_plugin.model import Tags, Track
from mess_plugin.search.diversity import choose


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Don’t Look Back", "don't look back"),
        ("Don´t", "Don`t"),
        ("Rock ’n’ Roll", "rock 'n' roll"),
        ("“Heroes”", '"heroes"'),
        ("Jay‐Z", "jay-z"),
        ("2001–2005 — live", "2001-2005 - live"),
        ("Bjo\u0308rk", "BJÖRK"),
        ("Sigur Rós", "sigur ros"),
        ("Motörhead", "motorhead"),
        ("Łódź", "lodz"),
        ("Sørensen", "sorensen"),
        ("Œuvre", "oeuvre"),
        ("Ænima", "aenima"),
        ("ﬁnale", "finale"),
        ("Straße", "STRASSE"),
        ("ＡＢＣ　１２", "abc 12"),
        ("…And Justice", "...and justice"),
        ("İstanbul", "istanbul"),
        ("ISTANBUL", "ıstanbul"),
        ("a\u00adb\u200bc\ufeff", "abc"),
        ("one\u00a0two\u2009\t three", "one two three"),
        ("ｶﾞ", "ガ"),
        ("a\0b\x1fc", "a b c"),
    ],
)
def test_spellings_of_one_name(written: str, typed: str) -> None:
    assert fold(written) == fold(typed)
    assert same(written, typed)


@pytest.mark.parametrize(
    ("one", "other"), [("が", "か"), ("a-b", "a b"), ("don't", "dont"), ("क्", "क"), ("o", "ö2")]
)
def test_other_names_stay_others(one: str, other: str) -> None:
    assert not same(one, other)


def test_nothing_is_like_nothing() -> None:
    assert same(None, "")
    assert not same(None, "a")


@given(st.text())
def test_folding_folded_text_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(st.characters(codec="utf-8")))
def test_unicode_forms_and_case_make_no_difference(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, text)) == fold(text)
    assert fold(text.casefold()) == fold(text)


@given(st.text(st.characters()))
def test_what_is_folded_can_be_stored_and_has_single_spaces(text: str) -> None:
    folded = fold(text)
    assert folded.encode() is not None
    assert "\0" not in folded
    assert folded.split(" ") == folded.split() or not folded


def test_an_artist_in_two_unicode_forms_is_one_artist() -> None:
    import numpy as np

    names = ["Bjo\u0308rk", "Bj\u00f6rk", "BJÖRK", "Jay‐Z", "Jay-Z"]
    tracks = [Track(i, 100.0, Tags(title=str(i), artist=name)) for i, name in enumerate(names)]
    chosen = choose(
        np.linspace(1, 0.5, len(names)).astype(np.float32), tracks, 5, diversity=0,
        likeness=lambda _: np.zeros(len(names), np.float32), per_artist=1,
    )  # fmt: skip
    assert chosen == [0, 3]
