"""The verb ``report``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR, JSON, Preset

if TYPE_CHECKING:
    from equiradio.paper.contents import Table1


def report(
    results: Path = typer.Argument(help="A folder of finished runs: results/ of the repository, or what reproduce --out named."),
    out: Path = typer.Option(Path("report"), "--out", help="Where to write table1.*, figure1-3.* and report.html."),
    preset: Preset = typer.Option(None, "--preset", help="Of the runs in the table; default that with most runs.", show_default=False),
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """Table 1, Figures 1 to 3 and one page from finished runs; nothing is computed by a network.

    Example: equiradio report results --out report
    """
    from equiradio.cli.progress import bars
    from equiradio.paper.report import report as write

    with bars() as step:
        table = write(results, out, preset=preset, data_dir=data_dir, step=step)
    show(table, out, as_json)


def show(table: "Table1", out: Path, as_json: bool) -> None:
    """Print the table's accuracies, or all of it."""
    from equiradio.cli.tables import print_table
    from equiradio.paper.table1_text import COLUMNS, text_rows

    if as_json:
        typer.echo(json.dumps(table, indent=2))
        return
    print_table(COLUMNS[:4], [cells[:4] for cells in text_rows(table, "pooled")], "Pooled passes, as in the paper")
    print_table(COLUMNS[:4], [cells[:4] for cells in text_rows(table, "per_source")], "Per source")
    say(f"Look at {out / 'report.html'}")
