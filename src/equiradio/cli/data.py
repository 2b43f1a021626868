"""The verb ``data``: list, fetch, verify, simulate."""

import json
from pathlib import Path

import typer

from equiradio.cli.options import DATA_DIR, JSON
from equiradio.datasets.registry import DATASETS
from equiradio.errors import DataRefusal

app = typer.Typer(help="List, fetch, verify and simulate data sets.", no_args_is_help=True)


@app.command("list")
def list_datasets(data_dir: Path = DATA_DIR, as_json: bool = JSON) -> None:
    """The data sets and whether they are here.

    Example: equiradio data list
    """
    from equiradio.cli.progress import print_table
    from equiradio.datasets.mirabest import find_mirabest

    place = find_mirabest(data_dir)
    here = {name: "made on the spot" if name == "simulated" else str(place or "not here; fetch it") for name in DATASETS}
    if as_json:
        typer.echo(json.dumps([{"name": name, "what": what, "where": here[name]} for name, what in DATASETS.items()], indent=2))
    else:
        print_table(("name", "what", "where"), [(name, what, here[name]) for name, what in DATASETS.items()])


@app.command()
def fetch(name: str = typer.Argument(help="mirabest"), data_dir: Path = DATA_DIR) -> None:
    """Download a data set from its published record and check it.

    Example: equiradio data fetch mirabest
    """
    from equiradio.datasets.mirabest import fetch_mirabest

    _only_mirabest(name)
    typer.echo(fetch_mirabest(data_dir))


@app.command()
def verify(
    name: str = typer.Argument(help="mirabest, or a folder that simulate wrote"), data_dir: Path = DATA_DIR, as_json: bool = JSON
) -> None:
    """Compare the checksums of a data set with the published ones.

    Example: equiradio data verify mirabest
    """
    from equiradio.cli.progress import print_table
    from equiradio.datasets.mirabest import verify_mirabest
    from equiradio.datasets.simulated import read_folder

    if name not in DATASETS and Path(name).is_dir():
        sources = read_folder(Path(name))
        about = {"folder": name, "sources": len(sources), "md5": sources.md5}
        typer.echo(json.dumps(about, indent=2) if as_json else f"{name}: {len(sources):,} sources, checksums agree")
        return
    _only_mirabest(name)
    checks = verify_mirabest(data_dir)
    if as_json:
        typer.echo(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        print_table(
            ("file", "expected md5", "found"), [(c.file, c.expected, "the same" if c.found == c.expected else c.found) for c in checks]
        )
    wrong = [check.file for check in checks if check.found != check.expected]
    if wrong:
        raise DataRefusal(name, f"{len(wrong)} of {len(checks)} files differ ({', '.join(wrong)})", "the published md5s", "Fetch it again.")


@app.command()
def simulate(
    count: int = typer.Option(1200, "--count", help="Number of sources."),
    seed: int = typer.Option(0, "--seed", help="Another seed, other sources."),
    out: Path = typer.Option(..., "--out", help="A new folder.", show_default=False),
) -> None:
    """Simulate FRI and FRII sources with truth masks, for training and for tests of explanations.

    Example: equiradio data simulate --count 1000 --seed 1 --out sky
    """
    from equiradio.datasets.simulated import write_simulated

    typer.echo(write_simulated(count, seed, out))


def _only_mirabest(name: str) -> None:
    if not (name.startswith("mirabest") and name in DATASETS):
        raise DataRefusal("data", f"'{name}' cannot be fetched or verified", "mirabest", "See equiradio data list.")
