"""The options that steer, shared by every command that asks (docs/query.md)."""

from __future__ import annotations

import click

from mess_plugin.cli.output import F
from mess_plugin.search.query import ASPECTS, HIDE, MOODS, SHOW

_OPTIONS = (
    click.option("--emphasis", metavar="FACET=N,…", help="How much facets count; the feel is 1."),
    click.option("--only", metavar="FACET,…", help=f"Only these: {', '.join(ASPECTS)}."),
    click.option("--exact-key", is_flag=True, help="Harmony as it sounds, not transposed."),
    click.option("--not", "against", multiple=True, metavar="REF", help="Be unlike this track."),
    click.option(
        "--tempo", metavar="LOW-HIGH|same", help="Beats per minute; half and double count."
    ),
    click.option("--key", metavar="KEY|same", help="A key, or 'same': mixes with that of REF."),
    click.option("--duration", metavar="M:SS-M:SS", help="How long."),
    click.option("--year", metavar="FROM-TO", help="Of the tags."),
    click.option("--activity", metavar="LOW-HIGH", help="How much happens: 0 calm, 1 driving."),
    click.option("--bright", metavar="LOW-HIGH", help="How bright it sounds: 0 dark, 1 bright."),
    click.option("--drive", metavar="LOW-HIGH", help="How much it drives: 0 to 1."),
    click.option("--mood", metavar="MOOD,…", help=f"All of these: {', '.join(MOODS)}."),
    click.option("--loudness", metavar="LOW..HIGH", help="Integrated, in LUFS: -16..-12."),
    click.option("--genre", metavar="TEXT", help="In the genre tag."),
    click.option("--artist", metavar="TEXT", help="In the artist tag."),
    click.option("--album", metavar="TEXT", help="In the album tag."),
    click.option("--folder", metavar="FOLDER", help="Below this folder."),
    click.option("--exclude", multiple=True, metavar="WORDS", help="Not these words in the name."),
    click.option("--language", metavar="NAME,…", help="One of these is in the language tag."),
    click.option("--rating", metavar="LOW-HIGH", help="In stars, 0 to 5."),
    click.option("--unplayed", type=float, metavar="DAYS", help="Not played for so many days."),
    click.option("--per-artist", type=int, metavar="N", help="At most N of one artist."),
    click.option("--per-album", type=int, metavar="N", help="At most N of one album."),
    click.option(
        "--diversity", type=float, default=0.0, metavar="0…1", help="Prefer varied answers."
    ),
    click.option("--listener", metavar="NAME", help="Let this listener's taste count."),
    click.option(
        "--blend",
        multiple=True,
        metavar="plays|FILE=SHARE",
        help="Let plays, or scores of a file (path, tab, number), count too.",
    ),
    click.option(
        "--duplicates",
        type=click.Choice([HIDE, SHOW]),
        default=HIDE,
        show_default=True,
        help="Other copies and versions of REF and of better answers.",
    ),
)


def steering_options(function: F) -> F:
    """All options of a query; the command takes them as keywords, see `parsing.query`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
