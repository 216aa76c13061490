"""One folding of text, for everything that compares what people type with what files say.

Words, filters, limits per artist and exclusion all compare folded text. The database keeps the folded
form of each tag beside the tag (`store.library.folded_tags`) and only compares, so there is no second
folding in SQL that could come to another result.

Folded away are case (full case folding), accents, Unicode forms (NFC, NFD), width and ligatures
(compatibility forms), strokes through letters, typographic marks, kinds of dashes and of spaces, and
characters that nobody sees. Kept are ASCII punctuation, the voicing of kana and the virama of Indic
scripts, without which letters become other letters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

FOLDING = 1
"""Version of the folding; a change needs a migration that folds the stored tags again."""

_KEPT_MARKS = frozenset({8, 9})  # combining classes: voicing of kana, virama
_DASH, _SPACE, _CONTROL, _FORMAT, _UNPAIRED = "Pd", "Z", "Cc", "Cf", "Cs"
_LETTERS = re.compile(r"LATIN SMALL (?:LETTER|LIGATURE) ([A-Z]{1,2})(?: WITH .+)?")
# Before anything is decomposed: an acute accent that stands alone is meant as an apostrophe.
_TYPED = dict.fromkeys(map(ord, "`´"), "'") | dict.fromkeys((*range(32), 127), " ")
_SINGLE_QUOTES = "‘’‚‛ʹʻʼʽˈ′‵‹›"
_DOUBLE_QUOTES = "“”„‟〃«»"
_OTHERS = {
    **dict.fromkeys(_SINGLE_QUOTES, "'"),
    **dict.fromkeys(_DOUBLE_QUOTES, '"'),
    "−": "-",
    "⁻": "-",
    "⁄": "/",
    "∕": "/",
    "×": "x",
    "∙": "·",
    "•": "·",
    "・": "·",
    "ı": "i",
    "þ": "th",
    "ð": "d",
    "ŋ": "n",
    "ĸ": "k",
    "`": "'",
}


def fold(text: str) -> str:
    """Text as it is compared: two spellings of one name fold to the same; "" holds nothing to compare.

    Folding folded text changes nothing. Words are separated by single spaces.
    """
    plain = unicodedata.normalize("NFC", text).translate(_TYPED)
    if plain.isascii():
        return " ".join(plain.lower().split())
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", plain).casefold())
    decomposed = unicodedata.normalize("NFKD", decomposed.casefold())
    return " ".join("".join(map(_folded, decomposed)).split())


def same(one: str | None, other: str | None) -> bool:
    """Whether two names are the same but for what folding takes away; None is like ""."""
    return fold(one or "") == fold(other or "")


@cache
def _folded(character: str) -> str:
    """What stays of one character of decomposed text in folded case."""
    if character in _OTHERS:
        return _OTHERS[character]
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category in {_FORMAT, _UNPAIRED} or "\ufe00" <= character <= "\ufe0f":
        return ""
    if category == _CONTROL or category.startswith(_SPACE):
        return " "
    if category == _DASH:
        return "-"
    mark = unicodedata.combining(character)
    if mark and mark not in _KEPT_MARKS:
        return ""
    letters = _LETTERS.fullmatch(unicodedata.name(character, ""))
    return letters[1].lower() if letters else character
