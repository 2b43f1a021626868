"""The verb ``evaluate``."""

import json
from pathlib import Path

import typer

from equiradio.artefacts.run import Run
from equiradio.cli.options import DATA_DIR, DEVICE, JSON


def evaluate(
    runs: list[Path] = typer.Argument(help="Run folders.", metavar="RUN...", show_default=False),
    data: str = typer.Option(None, "--data", help="A data set; default the one that the run was trained on.", show_default=False),
    split: str = typer.Option("test", "--split", help="train, validation or test."),
    passes: int = typer.Option(100, "--passes", help="Augmented passes over every source, besides the plain one."),
    batches: str = typer.Option("sorted", "--batches", help="sorted, shuffled or single; matters only with the habit batch-range."),
    device: str = DEVICE,
    precision: str = typer.Option("float32", "--precision", help="float32, or bf16 for speed (docs/performance.md says what it costs)."),
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """Score trained networks on a split, and draw where they look.

    Example: equiradio evaluate runs/c4-attention-mirabest-fast-seed0
    """
    from equiradio.cli.progress import bars, print_table
    from equiradio.compute.device import choose_device
    from equiradio.report.table import COLUMNS, metrics_rows
    from equiradio.verbs.evaluate import evaluate as run_evaluation

    where, answers = choose_device(device), {}
    for run in runs:
        with bars() as step:
            answers[str(run)] = run_evaluation(
                run,
                data=data,
                split=split,
                passes=passes,
                batches=batches,
                data_dir=data_dir,
                device=where,
                precision=precision,
                progress=step,
            )
        if not as_json:
            metrics = answers[str(run)]
            if metrics["calibration"]:
                print_table(COLUMNS, metrics_rows(metrics), f"{run}: {metrics['data']}, {metrics['split']}, 95 % intervals over sources")
            _print_calibration(metrics, run)
    if as_json:
        typer.echo(json.dumps(answers, indent=2))


def _print_calibration(metrics: dict, run: Path) -> None:
    if metrics["calibration"]:
        nll, brier, ece = (metrics["calibration"][key] for key in ("nll", "brier", "ece"))
        typer.echo(f"per source: negative log-likelihood {nll:.3f}, Brier score {brier:.3f}, expected calibration error {ece:.3f}")
    else:
        typer.echo("Hybrid sources have no FRI or FRII label: predictions only, no scores.")
    maps = "maps, " if Run(run).maps_file.is_file() else ""
    typer.echo(f"written to {run}: predictions, metrics, {maps}figures")
