"""The options of a question, one row each.

The command line, beets, the HTTP parameters, the JSON fields and their schema, the words of Jellyfin
playlists, the parameters of the SQL condition and the tables of docs/query.md are all made from these
rows. To add a filter, add a row here, a condition named after its field to `allowed_tracks` in
sql/queries.sql, and a test.

This module needs the standard library alone: beets builds its options at each of its starts.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

ASPECTS = ("feel", "timbre", "harmony", "rhythm", "energy", "structure")
"""What can count: the encoder's overall feel, and each facet."""
MOODS = {
    "calm": ("activity", 0.0, 0.35),
    "driving": ("drive", 0.65, 1.0),
    "dark": ("brightness", 0.0, 0.35),
    "bright": ("brightness", 0.65, 1.0),
}
"""Word → (attribute, low, high). Nothing is claimed beyond these ranges."""
HIDE, SHOW = "hide", "show"


class Kind(Enum):
    """How a value is written, and what it becomes."""

    RANGE = "low and high number"
    CLOCK = "low and high duration, M:SS"
    TEMPO = "a range of beats per minute, or `same`"
    KEY = "a key, or `same`"
    TEXT = "text"
    TEXTS = "text, repeatable"
    NAMES = "words with commas between them"
    FOLDER = "a folder"
    AGE = "days, such as 30 or 30d, or weeks, such as 6w"
    NUMBER = "a number"
    INTEGER = "a whole number"
    FLAG = "no value"
    WEIGHTS = "ASPECT=WEIGHT with commas between them"
    SHARES = "SOURCE=SHARE, repeatable"
    CHOICE = "one of several words"


class Option(NamedTuple):
    """One option of a question."""

    name: str
    """As the command line calls it, without dashes before it."""
    kind: Kind
    help: str
    """One short sentence, for `--help` and descriptions."""
    metavar: str = "TEXT"
    field: str = ""
    """Its field in Python and JSON where that is called otherwise."""
    is_filter: bool = False
    """Whether it says who may answer; otherwise it says what counts, or how varied answers are."""
    example: str = ""
    """A value, for descriptions; "" for one without value."""
    more: str = ""
    """What docs/query.md says beyond the help."""
    playlist: str = ""
    """Its word in Jellyfin playlists; "" where these do not offer it."""
    beets: str = ""
    """Its name in beets where the host has taken this one."""
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name as an identifier: the key of its word, the parameter of HTTP."""
        return {"not": "against"}.get(self.name, self.name).replace("-", "_")

    @property
    def target(self) -> str:
        """Its field in `Query` or `Filters`."""
        return self.field or self.key


def _filter(
    name: str, kind: Kind, help_text: str, metavar: str = "TEXT", field: str = "", **more: Any
) -> Option:
    return Option(name, kind, help_text, metavar, field, is_filter=True, **more)


OPTIONS = (
    Option(
        "emphasis", Kind.WEIGHTS, "Weights of aspects; the feel has weight 1.", "ASPECT=N,…",
        example="rhythm=2,timbre=0.5", more="`feel=0` leaves it out",
    ),
    Option(
        "only", Kind.NAMES, f"Only these aspects: {', '.join(ASPECTS)}.", "ASPECT,…",
        example="harmony,rhythm", more="weight 1 each unless emphasised", playlist="only",
    ),
    Option("exact-key", Kind.FLAG, "Compare harmony as it sounds, not transposed."),
    Option(
        "not", Kind.TEXTS, "Be unlike this track.", "REF", example="REF",
        more="subtracts half of the similarity to it; repeatable",
    ),
    _filter(
        "tempo", Kind.TEMPO, "Beats per minute; half and double count.", "LOW-HIGH|same",
        "tempo_bpm", example="90-110", more="`same`: within 6 % of the first REF's", playlist="tempo",
    ),
    _filter(
        "key", Kind.KEY, "A key, or 'same': compatible with the first REF's.", "KEY|same",
        example="Am", playlist="key",
        more="`Am`, `F# minor`, Camelot `8A`, Open Key `1m`; `same`: the same, its relative, or a "
        "fifth away",
    ),
    _filter(
        "duration", Kind.CLOCK, "Length.", "M:SS-M:SS", "duration_s", example="2:30-4:00",
        playlist="length",
    ),
    _filter("year", Kind.RANGE, "Year in the tags.", "FROM-TO", example="1990-1999", playlist="year"),
    _filter(
        "activity", Kind.RANGE, "How much happens: 0 calm, 1 driving.", "LOW-HIGH", example="0-0.3",
        playlist="activity",
        more="percentile in a calibration library (253 pieces of game music and songs), from onsets "
        "per second, their strength, the median level and brightness",
    ),
    _filter(
        "bright", Kind.RANGE, "How bright it sounds: 0 dark, 1 bright.", "LOW-HIGH", "brightness",
        example="0.6-1", playlist="bright",
        more="percentile of the spectral centroid on the mel scale",
    ),
    _filter(
        "drive", Kind.RANGE, "How much it drives: 0 to 1.", "LOW-HIGH", example="0.5-",
        playlist="drive",
        more="percentile of onsets per second and strength of the pulse",
    ),
    _filter(
        "mood", Kind.NAMES, f"All of these: {', '.join(MOODS)}.", "MOOD,…", "moods",
        example="calm,bright", playlist="mood",
        more="`calm`: activity to 0.35, `driving`: drive from 0.65, `dark`: brightness to 0.35, "
        "`bright`: from 0.65",
    ),
    _filter(
        "tag", Kind.NAMES, "All of these tags are heard.", "TAG,…", "tags",
        example="ambient,instrumental", more="see [tags](tags.md)", playlist="tag",
    ),
    _filter(
        "no-tag", Kind.NAMES, "None of these tags is heard.", "TAG,…", "excluded_tags",
        example="guitar", more="a track that no tags were read of does not answer",
    ),
    _filter(
        "loudness", Kind.RANGE, "Integrated loudness in LUFS.", "LOW..HIGH", "loudness_lufs",
        example="-16..-12", playlist="loudness", more="EBU R128",
    ),
    _filter("genre", Kind.TEXT, "Contained in the genre tag.", example="ambient", playlist="genre"),
    _filter("artist", Kind.TEXT, "Contained in the artist tag.", example="bonobo", playlist="artist"),
    _filter(
        "album", Kind.TEXT, "Contained in the album tag.", example="migration", playlist="album",
        beets="album-name",
    ),
    _filter("folder", Kind.FOLDER, "Below this folder.", "FOLDER", example="/music/live"),
    _filter(
        "exclude", Kind.TEXTS, "Not these words in artist, title, album or file name.", "WORDS",
        "excluded_words", example="live", more="repeatable", playlist="without",
    ),
    _filter(
        "language", Kind.NAMES, "A language of the tags or the lyrics.", "NAME,…", "languages",
        example="en,French,not-de", playlist="language",
        more="one of these, by code or English name; `not-`: none of these, and tracks without "
        "lyrics pass; `same`: that of the first REF's lyrics",
    ),
    _filter(
        "rating", Kind.RANGE, "In stars, 0 to 5.", "LOW-HIGH", example="4-", playlist="rating",
        more="the last rating reported by a media server, else the tag's",
    ),
    _filter(
        "unplayed", Kind.AGE, "Not played for so many days.", "DAYS", "unplayed_days", example="30",
        more="no media server reported a play of half the track or more within them",
        playlist="unplayed",
    ),
    _filter(
        "added", Kind.AGE, "Added to the library within so many days.", "DAYS", "added_days",
        example="30d", more="since it was first indexed", playlist="added",
    ),
    Option(
        "per-artist", Kind.INTEGER, "At most N of one artist.", "N", example="2",
        more="tracks without the tag are not limited", playlist="per_artist",
    ),
    Option(
        "per-album", Kind.INTEGER, "At most N of one album.", "N", example="2",
        more="tracks without the tag are not limited", playlist="per_album",
    ),
    Option(
        "diversity", Kind.NUMBER, "Prefer varied answers, 0 to 1.", "0…1", example="0.3",
        more="0: by score alone", playlist="diversity",
    ),
    Option(
        "listener", Kind.TEXT, "Let this listener's taste count.", "NAME", example="me",
        more="it sets the weights, if that helps",
    ),
    Option(
        "blend", Kind.SHARES, "Let plays, or scores of a file (path, tab, number), count too.",
        "plays|FILE=SHARE", example="plays=0.3",
    ),
    Option(
        "duplicates", Kind.CHOICE, "Copies and versions of REF and of better answers.",
        "hide|show", example=HIDE, choices=(HIDE, SHOW),
    ),
)  # fmt: skip
FILTERS = tuple(option for option in OPTIONS if option.is_filter)
LIMITS = (Kind.RANGE, Kind.CLOCK, Kind.TEMPO)
"""Kinds whose values are a low and a high number."""


def table(options: tuple[Option, ...]) -> str:
    """Rows of Markdown for docs/query.md: the option, its field, what it means."""
    lines = ["| option | Python and JSON | means |", "|---|---|---|"]
    for one in options:
        flag = f"--{one.name}" + (f" {one.example}" if one.kind is not Kind.FLAG else "")
        flags = f"`{flag}`"
        fields = f"`{one.target}`"
        if one.kind in (Kind.TEMPO, Kind.KEY):
            flags += f", `--{one.name} same`"
            fields += f", `same_{one.name}`"
        first = one.help.split()[0]
        means = (
            one.help
            if len(first) > 1 and first.isupper()
            else first.lower() + one.help[len(first) :]
        )
        means = means.rstrip(".")
        lines.append(f"| {flags} | {fields} | {means}{f'; {one.more}' if one.more else ''} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(tuple(one for one in OPTIONS if not one.is_filter)))  # noqa: T201
    print(table(FILTERS))  # noqa: T201
