"""The verb ``bench``."""

import json
from pathlib import Path
from typing import cast

import typer

from equiradio.cli import completion
from equiradio.cli.interruption import Interrupted
from equiradio.cli.options import JSON


def bench(
    models: str = typer.Option(
        None,
        "--models",
        help="Names, comma-separated; default the eight of Table 1.",
        show_default=False,
        autocompletion=completion.listed(completion.models),
    ),
    variants: str = typer.Option(
        "default,default-noise,float32,float32-dense",
        "--variants",
        help="What is compared: default (preset fast on this machine), default-noise (the same, no sky empty), "
        "float32 (classify on this machine), float32-dense, default-dense, default-plain-malloc.",
        autocompletion=completion.listed(completion.variants),
    ),
    rounds: int = typer.Option(3, "--rounds", help="How often each measurement is made, in turn."),
    steps: int = typer.Option(3, "--steps", help="Steps counted in each measurement."),
    threads: int = typer.Option(None, "--threads", help="Of each process; default all processors.", show_default=False),
    out: Path = typer.Option(None, "--out", help="JSON, written after every measurement; goes on where it stopped.", show_default=False),
    as_json: bool = JSON,
) -> None:
    """Measure how fast this machine trains and answers, and with how much memory.

    Example: equiradio bench --models attention,c4-attention --rounds 3 --out speed.json
    """
    from equiradio.bench.measurements import Peaks
    from equiradio.bench.run import COLUMNS, TAKEN, heading, rows
    from equiradio.bench.run import bench as measure
    from equiradio.bench.summary import peaks_text
    from equiradio.cli.progress import bars
    from equiradio.cli.tables import print_table

    names = [_names(given) for given in (models, variants)]
    try:
        with bars():
            result = measure(
                names[0],
                names[1] or [],
                rounds=rounds,
                steps=steps,
                threads=threads,
                out=out,
                on_line=lambda line: typer.echo(line, err=True),
            )
    except KeyboardInterrupt:
        where = f"Finished measurements are kept in {out}; run the same command to go on." if out else "With --out they are kept."
        raise Interrupted(f"Interrupted. {where}") from None
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    print_table(COLUMNS, rows(result), heading(result))
    typer.echo(TAKEN)
    peaks = cast(Peaks, result["once"]["peaks"])
    typer.echo(f"peak: {peaks_text(peaks)} thousand million multiply-adds a second, copying {peaks['copy_gb_per_second']:.0f} GB/s")


def _names(given: str | None) -> list[str] | None:
    """Names of an option, none where it is empty; None where it was left out."""
    if given is None:
        return None
    return [name.strip() for name in given.split(",")] if given.strip() else []
