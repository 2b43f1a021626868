"""The verb ``similar``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from equiradio.cli import completion
from equiradio.cli.lines import say
from equiradio.cli.options import DEVICE, JSON, Device

if TYPE_CHECKING:
    from equiradio.verbs.similar import Similar


def similar(
    source: str = typer.Argument(help="An image, or the source_id of one among the features."),
    among: Path = typer.Option(help="Features that equiradio classify --features wrote."),
    count: int = typer.Option(10, "--count", min=1, help="How many to list."),
    model: str = typer.Option(
        None,
        "--model",
        help="The team that made the features, where it has no name of its own.",
        show_default=False,
        autocompletion=completion.teams,
    ),
    out: Path = typer.Option(None, "--out", help="A picture of them, .png.", show_default=False),
    device: Device = DEVICE,
    as_json: bool = JSON,
) -> None:
    """List the sources that look most like one, whichever way they are turned.

    Example: equiradio similar J0712.fits --among features.parquet --out similar.png
    """
    from equiradio.artefacts.features import refuse_absent
    from equiradio.artefacts.places import check_picture

    check_picture("--out", out)
    refuse_absent(among)
    from equiradio.cli.tables import print_table
    from equiradio.verbs.similar import similar as find

    nearest = find(source, among, count, model=model, device=device)
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in nearest], indent=2))
    else:
        rows = [(each.source_id, each.label, f"{each.distance:.3f}", each.file) for each in nearest]
        print_table(("source", "class", "distance", "file"), rows, f"{among}: most like {source}")
    if out is not None:
        _draw(source, nearest, among, out)
        say(out, err=as_json)


def _draw(source: str, nearest: "list[Similar]", among: Path, out: Path) -> None:
    """Pictures of the source, where it is a file, and of those nearest whose files are still there; as the team saw them."""
    from equiradio.artefacts.features import read_features
    from equiradio.inference.reading import options_of, read_any
    from equiradio.report.montage import save_montage
    from equiradio.sky.cutout import Cutout

    files, options = [source, *(each.file for each in nearest)], options_of(read_features(among).recipe)
    cutouts = [read_any(number, file, **options) if Path(file).is_file() else None for number, file in enumerate(files)]
    lines = [Path(source).name, *(f"{each.source_id}\n{each.label} {each.distance:.2f}" for each in nearest)]
    save_montage([each.image if isinstance(each, Cutout) else None for each in cutouts], lines, out)
