"""In which language a text is, by its letters and words: py3langid, offline.

M. Lui and T. Baldwin, "langid.py: An Off-the-shelf Language Identification Tool", ACL 2012; the model
is 4 MB and lies in the package.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from mess_plugin.folding import fold

_MIN_LETTERS = 24
_MIN_PROBABILITY = 0.9
_NAMES = """
af afr afrikaans|ar ara arabic|az aze azerbaijani|be bel belarusian|bg bul bulgarian
bn ben bengali|br bre breton|bs bos bosnian|ca cat catalan|cs ces cze czech|cy cym wel welsh
da dan danish|de deu ger german|el ell gre greek|en eng english|eo epo esperanto|es spa spanish
et est estonian|eu eus baq basque|fa fas per persian|fi fin finnish|fr fra fre french|ga gle irish
gd gla gaelic|gl glg galician|gu guj gujarati|ha hau hausa|he heb hebrew|hi hin hindi
hr hrv croatian|ht hat haitian|hu hun hungarian|hy hye arm armenian|id ind indonesian
is isl ice icelandic|it ita italian|ja jpn japanese|ka kat geo georgian|kk kaz kazakh|km khm khmer
kn kan kannada|ko kor korean|la lat latin|lo lao lao|lt lit lithuanian|lv lav latvian
mg mlg malagasy|mk mkd mac macedonian|ml mal malayalam|mn mon mongolian|mr mar marathi
ms msa may malay|mt mlt maltese|my mya bur burmese|ne nep nepali|nl nld dut dutch|nn nno nynorsk
no nor norwegian|oc oci occitan|pa pan punjabi|pl pol polish|ps pus pashto|pt por portuguese
ro ron rum romanian|ru rus russian|si sin sinhala|sk slk slo slovak|sl slv slovenian|so som somali
sq sqi alb albanian|sr srp serbian|sv swe swedish|sw swa swahili|ta tam tamil|te tel telugu
th tha thai|tl tgl tagalog|tr tur turkish|uk ukr ukrainian|ur urd urdu|uz uzb uzbek
vi vie vietnamese|xh xho xhosa|yo yor yoruba|zh zho chi chinese|zu zul zulu
"""
NAMES: dict[str, tuple[str, ...]] = {
    names[0]: names
    for names in (tuple(entry.split()) for line in _NAMES.split("\n") for entry in line.split("|"))
    if names
}
"""ISO 639-1 code → the code itself, the codes of ISO 639-2, and the English name, all folded."""

# How Postgres takes the words of a language to their stems; all others are kept as they are.
_STEMMED = """
arabic armenian basque catalan danish dutch english finnish french german greek hindi hungarian
indonesian irish italian lithuanian nepali norwegian portuguese romanian russian serbian spanish
swedish tamil turkish yiddish
"""
STEMMERS = frozenset(_STEMMED.split())


def detect(text: str) -> str | None:
    """The ISO 639-1 code of the language of a text; None where it is too short or not clear."""
    letters = "".join(char if char.isalpha() or char.isspace() else " " for char in text)
    words = list(dict.fromkeys(fold(letters).split()))  # "la la la" says one word
    weight = sum(len(word) if word.isascii() else 2 * len(word) for word in words)
    if weight < _MIN_LETTERS:
        return None
    code, probability = _identifier().classify(letters)
    return str(code) if probability >= _MIN_PROBABILITY else None


def names_of(name: str) -> tuple[str, ...]:
    """All names of a language that is called so, folded; only this one where it is not known."""
    wanted = fold(name)
    return next((names for names in NAMES.values() if wanted in names), (wanted,))


def stemmer(code: str | None) -> str:
    """Name of the text search configuration of Postgres for a language; "simple" where it has none."""
    name = NAMES[code][-1] if code in NAMES else ""
    return name if name in STEMMERS else "simple"


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  takes a second

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(NAMES))
    return identifier
