"""`mess clusters`, `mess map`."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import click

from mess_plugin.atomic_file import write_text
from mess_plugin.cli.output import (
    encoder_option,
    json_option,
    print_json,
    print_table,
    say,
    table_options,
)
from mess_plugin.cli.shared_options import k_option, out_option
from mess_plugin.config import load_settings
from mess_plugin.errors import UsageError
from mess_plugin.exploring.clusters import Clusters, cluster
from mess_plugin.exploring.documents import clusters_document, map_document
from mess_plugin.exploring.feature_matrix import FeatureMatrix, read_features
from mess_plugin.exploring.layout import LAYOUTS, lay_out
from mess_plugin.model import Float32
from mess_plugin.services import connected
from mess_plugin.store import open_store

_k = k_option(None, "How many clusters; by default from the size.")
_seed = click.option("--seed", default=0, show_default=True, metavar="N", help="The same again.")


@click.command()
@_k
@_seed
@click.option(
    "--examples", default=3, show_default=True, metavar="N", help="Central tracks of each."
)
@click.option(
    "--outliers", default=10, show_default=True, metavar="N", help="Tracks that stand apart."
)
@encoder_option
@table_options
def clusters(
    k: int | None, seed: int, examples: int, outliers: int, encoder: str | None, as_json: bool
) -> None:
    """Show what kinds of music the library holds, with central examples and what stands apart."""
    if examples < 1:
        raise UsageError(f"{examples} examples are asked for: wanted 1 or more")
    features = _features(encoder)
    found = cluster(features, k, seed=seed, n_outliers=outliers)
    if as_json:
        print_json(clusters_document(features, found, examples))
        return
    rows = [
        (
            number,
            one.name,
            len(one.members),
            f"{one.tightness:.2f}",
            "; ".join(features.facts[place].describe() for place in one.members[:examples]),
        )
        for number, one in enumerate(found.clusters, start=1)
    ]
    print_table(["#", "cluster", "#tracks", "#tightness", "central examples"], rows)
    if found.outliers:
        lonely = [
            (
                f"{found.likeness[place]:.2f}",
                features.facts[place].track_id,
                features.facts[place].describe(),
            )
            for place in found.outliers
        ]
        print_table(["#likeness", "#id", "stands apart"], lonely)


@click.command(name="map")
@out_option("Where it goes: .png or .tsv.")
@click.option(
    "--layout", type=click.Choice(LAYOUTS), default="pca", show_default=True,
    help="tsne keeps neighbours together; it needs mess-plugin[map].",
)  # fmt: skip
@_k
@_seed
@encoder_option
@json_option
def map_command(
    out: Path | None, layout: str, k: int | None, seed: int, encoder: str | None, as_json: bool
) -> None:
    """Draw the library in two dimensions: what feels alike lies together, coloured by cluster."""
    if out is None and not as_json:
        raise UsageError("say where the map goes: --out FILE.png, --out FILE.tsv, or --json")
    if out is not None and out.suffix.lower() not in {".png", ".tsv"}:
        raise UsageError(f"--out is {out}: wanted a name that ends in .png or .tsv")
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"--out is {out}: there is no folder {out.absolute().parent}")
    features = _features(encoder)
    found = cluster(features, k, seed=seed)
    points = lay_out(features.vectors, layout, seed=seed)
    if out is not None:
        _write(out, features, found, points)
        say(f"{len(points)} tracks written to {out}")
    if as_json:
        print_json(map_document(features, found, points))


def _features(encoder: str | None) -> FeatureMatrix:
    settings = load_settings(encoder=encoder)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        return read_features(store, ready)


def _write(out: Path, features: FeatureMatrix, found: Clusters, points: Float32) -> None:
    if out.suffix.lower() == ".png":
        from mess_plugin.exploring.drawing import save_map  # noqa: PLC0415  only where it is drawn

        save_map(points, found, out)
        return
    text = StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["id", "x", "y", "cluster", "name", "path"])
    for one, (x, y), group in zip(
        features.facts, points.tolist(), found.of_track.tolist(), strict=True
    ):
        name = found.clusters[group].name
        writer.writerow([one.track_id, f"{x:.6f}", f"{y:.6f}", group + 1, name, one.path])
    write_text(out, text.getvalue())
