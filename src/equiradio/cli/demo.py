"""The verb ``demo``."""

from pathlib import Path

import typer

from equiradio.cli.interruption import Interrupted
from equiradio.cli.lines import say
from equiradio.cli.options import DEVICE, Device


def demo(out: Path = typer.Option(Path("demo"), "--out", help="Where to put the run and the page."), device: Device = DEVICE) -> None:
    """The main job on simulated sources, small: train, evaluate, figures, page.

    Example: equiradio demo --out demo
    """
    from equiradio.cli.progress import bars
    from equiradio.cli.tables import print_table
    from equiradio.cli.train import epoch_line
    from equiradio.report.table import metrics_tables
    from equiradio.verbs.demo import demo as run_demo
    from equiradio.verbs.demo import demo_settings

    epochs = demo_settings().training.epochs
    with bars() as step:
        try:
            page, metrics = run_demo(out, device=device, on_epoch=lambda row: typer.echo(epoch_line(row, epochs), err=True), step=step)
        except KeyboardInterrupt:
            raise Interrupted(f"Interrupted. Finished epochs are kept in {out}; run the same command to go on.") from None
    for table in metrics_tables(metrics):
        print_table(*table, "simulated, test, 95 % intervals over sources")
    scored = metrics["per_source"]
    assert scored is not None  # simulated sources all have a class
    say(f"Test accuracy per source {100 * scored['accuracy']:.1f} %. Look at {page}")
