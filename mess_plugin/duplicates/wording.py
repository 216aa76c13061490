"""What tags say of a pair that is the same music: that one of the two is live, or a remaster.

Tags alone link nothing. They say which kind a link is where what was heard allows it, and only where
one of the two carries the word and the other does not.
"""

from __future__ import annotations

import re

from mess_plugin.model import Tags

_WORDS = {
    "live": re.compile(r"\blive\b", re.IGNORECASE),
    "remaster": re.compile(r"\bre-?master(ed)?\b", re.IGNORECASE),
}
_ALLOWED = {"live": ("version", "altered"), "remaster": ("same",)}  # kinds by ear


def worded(kind: str, one: Tags, other: Tags) -> str:
    """ "live" or "remaster" where the tags of one say so and its sound does not deny it, else kind."""
    for word, kinds in _ALLOWED.items():
        if kind in kinds and _says(one, word) != _says(other, word):
            return word
    return kind


def _says(tags: Tags, word: str) -> bool:
    return any(_WORDS[word].search(text or "") for text in (tags.title, tags.album))
