"""`mess encoders`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mess_plugin.cli.library import say_switch
from mess_plugin.cli.main import Extensible
from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.cli.shared_options import complete_encoder
from mess_plugin.config import Settings, load_settings
from mess_plugin.documents import switch_document
from mess_plugin.encoders import describe, descriptions
from mess_plugin.encoders.base import EncoderDescription, EncoderOptions, WeightsState
from mess_plugin.errors import UsageError
from mess_plugin.services import connected, has_library
from mess_plugin.spaces.active_encoder import active_recipe
from mess_plugin.spaces.recipe import Recipe, weights_of
from mess_plugin.store import open_store


@click.group(cls=Extensible, invoke_without_command=True)
@click.pass_context
@table_options
def encoders(context: click.Context, as_json: bool) -> None:
    """List the encoders: their weights' state, size, licence and speed."""
    if context.invoked_subcommand:
        return
    settings = load_settings()
    used, switch = _choice(settings)
    rows = [
        {
            "name": one.name,
            "used": one.name == Recipe.parse(used).encoder,
            "summary": one.summary,
            "licence": one.licence,
            "weights_mb": one.weights_mb,
            "dim": one.dim,
            "rate_hz": one.rate_hz,
            "speed": one.speed,
            "extra": one.extra,
            "ready": (state := _state(one, settings)).ready,
            "state": state.detail,
            "switch": switch
            if switch and one.name == Recipe.parse(str(switch["to"])).encoder
            else None,
        }
        for one in descriptions().values()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ["encoder", "used", "ready", "#weights", "#dim", "licence", "speed", "state"],
        [
            (
                row["name"],
                "✓" if row["used"] else "",
                "yes" if row["ready"] else "no",
                f"{row['weights_mb']:g} MB" if row["weights_mb"] else "none",
                row["dim"],
                row["licence"],
                row["speed"],
                row["state"],
            )
            for row in rows
        ],
    )
    say(f"answers come from {used}")
    if switch:
        say_switch(switch)


def _choice(settings: Settings) -> tuple[str, dict[str, Any] | None]:
    """The recipe that answers, and the switch under way; without a database none was chosen."""
    if not has_library(settings):
        return str(Recipe.of(settings)), None
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        return active_recipe(store, settings), switch_document(store)


@encoders.command()
@click.argument("name", shell_complete=complete_encoder)
@click.option("--accept-licence", is_flag=True, help="Accept the licence without being asked.")
def download(name: str, accept_licence: bool) -> None:
    """Fetch the weights of the encoder NAME, after its licence was accepted."""
    encoder = describe(name)
    if encoder.download is None:
        raise UsageError(f"{name} has no weights to download")
    if not accept_licence:
        say(f"The weights of {name} are licensed under {encoder.licence}.")
        click.confirm("Do you accept this licence?", abort=True, err=True)
    say(f"weights of {name}: {encoder.download()}")


@encoders.command()
@click.argument("name", shell_complete=complete_encoder)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--precision", type=click.Choice(["bf16", "int8"]), required=True, help="What to compare."
)
def test(name: str, files: tuple[str, ...], precision: str) -> None:
    """Compare a faster precision of NAME with the exact one on FILEs, and allow it if they agree."""
    import numpy as np  # noqa: PLC0415  the list of encoders needs none of these

    from mess_plugin import audio  # noqa: PLC0415
    from mess_plugin.analysis.windows import slide  # noqa: PLC0415

    encoder = describe(name)
    if encoder.test_precision is None:
        raise UsageError(f"{name} is always exact: there is nothing to test")
    settings = load_settings()
    options = EncoderOptions(
        layers=settings.layers,
        device=settings.device,
        weights=weights_of(name, settings),
        precision=precision,
    )
    window_samples = round(settings.window_s * encoder.rate_hz)
    windows = []
    for file in files:
        with audio.decode(Path(file), encoder.rate_hz) as sound:
            found = (window.waveform for window in slide(sound, window_samples, window_samples))
            windows += [waveform for waveform in found if len(waveform) == window_samples]
    if not windows:
        raise UsageError(f"none of the files is longer than {settings.window_s:g} s")
    say(encoder.test_precision(options, np.stack(windows)))


def _state(encoder: EncoderDescription, settings: Settings) -> WeightsState:
    """In the user's own directory only for the settings' encoder, or where there is a folder for it."""
    own = weights_of(encoder.name, settings)
    if own == settings.weights and encoder.name != Recipe.of(settings).encoder:
        own = None
    return encoder.weights_state(own)
