"""Turns measures into the text of each tag, in the form of each tag format.

ReplayGain 2.0 aims at -18 LUFS (https://wiki.hydrogenaudio.org/index.php?title=ReplayGain_2.0_specification),
R128_TRACK_GAIN in Opus at -23 LUFS, as a whole number of 1/256 dB (RFC 7845, section 5.2.1).
"""

from __future__ import annotations

from mess_plugin.errors import UnknownName, UsageError
from mess_plugin.facets import Measures
from mess_plugin.facets.key import NAMES

FIELDS = ("bpm", "key", "replaygain")
_REPLAYGAIN_LUFS = -18.0
_R128_LUFS = -23.0
_R128_STEPS = 256
_WHOLE_BPM = {"id3", "mp4"}  # their specifications want a whole number


def parse_fields(text: str) -> tuple[str, ...]:
    """ "bpm,key" → ("bpm", "key"). Raises UnknownName, and UsageError where none is named."""
    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in FIELDS:
            raise UnknownName("tag", name, FIELDS)
    if not names:
        raise UsageError(f"--write names no tag: wanted some of {', '.join(FIELDS)}")
    return names


def value_of(
    field: str, measures: Measures, family: str, least_confidence: float
) -> tuple[str | None, str]:
    """(text, "") of a field, or (None, why there is none).

    family: "id3", "vorbis", "opus" or "mp4". least_confidence: of tempo and key, in [0, 1].
    """
    if field == "replaygain":
        return _gain(measures.loudness.integrated_lufs, family)
    heard = measures.tempo if field == "bpm" else measures.key
    if heard is None:
        return None, "none is heard"
    if heard.confidence < least_confidence:
        return None, f"not sure enough ({heard.confidence:.2f})"
    if field == "bpm":
        assert measures.tempo is not None
        bpm = measures.tempo.bpm
        return f"{bpm:.0f}" if family in _WHOLE_BPM else f"{bpm:.2f}", ""
    assert measures.key is not None
    return NAMES[measures.key.tonic] + ("m" if measures.key.mode == "minor" else ""), ""


def _gain(lufs: float | None, family: str) -> tuple[str | None, str]:
    if lufs is None:
        return None, "too quiet to measure"
    if family == "opus":
        steps = round((_R128_LUFS - lufs) * _R128_STEPS)
        return str(max(-32768, min(32767, steps))), ""
    return f"{_REPLAYGAIN_LUFS - lufs:+.2f} dB", ""
