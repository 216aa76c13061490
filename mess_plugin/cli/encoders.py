"""`mess encoders`."""

from __future__ import annotations

import click

from mess_plugin.cli.output import json_option, print_json, print_table, say
from mess_plugin.config import load_settings
from mess_plugin.encoders import describe, descriptions
from mess_plugin.errors import UsageError


@click.group(invoke_without_command=True)
@click.pass_context
@json_option
def encoders(context: click.Context, as_json: bool) -> None:
    """List the encoders: their weights' state, size, licence and speed."""
    if context.invoked_subcommand:
        return
    used = load_settings().encoder
    rows = [
        {
            "name": one.name,
            "used": one.name == used,
            "summary": one.summary,
            "licence": one.licence,
            "weights_mb": one.weights_mb,
            "dim": one.dim,
            "rate_hz": one.rate_hz,
            "speed": one.speed,
            "extra": one.extra,
            "ready": (state := one.weights_state()).ready,
            "state": state.detail,
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


@encoders.command()
@click.argument("name")
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
