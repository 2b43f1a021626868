"""The verb ``evaluate``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from equiradio.artefacts.run import Run
from equiradio.cli import completion
from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR, DEVICE, JSON, Device, Precision, check_data
from equiradio.errors import SettingRefusal
from equiradio.labels import UNKNOWN

if TYPE_CHECKING:
    from equiradio.evaluation.scores import Metrics

Scored = Literal["train", "validation", "test", "all"]
Order = Literal["sorted", "shuffled", "single"]


def evaluate(
    runs: list[Path] = typer.Argument(
        help="Folders of runs, or teams by folder or name, whose answers are scored.", metavar="RUN|TEAM...", show_default=False
    ),
    data: str = typer.Option(
        None,
        "--data",
        help="A data set, or a folder or table of images; default the one that the run was trained on.",
        show_default=False,
        autocompletion=completion.data_sets,
    ),
    split: Scored = typer.Option("test", "--split", help="Which sources of the data set; all of data that a team was not trained on."),
    passes: int = typer.Option(100, "--passes", help="Augmented passes over every source, besides the plain one."),
    through: list[str] = typer.Option(
        None,
        "--through",
        help="As seen otherwise: beam:8,15 (arcsec) noise:2,5 (times) field:120 (arcsec).",
        metavar="CONDITION...",
        show_default=False,
    ),
    prior: str = typer.Option(
        None, "--prior", help="With --through: mix of classes that answers are for, as FRI=0.7,FRII=0.3.", show_default=False
    ),
    batches: Order = typer.Option("sorted", "--batches", help="Company of each image; matters only with the habit batch-range."),
    device: Device = DEVICE,
    precision: Precision = typer.Option(
        "float32", "--precision", help="bf16 is for speed (docs/notebook/performance.md says what it costs)."
    ),
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """Score trained networks on a split, and draw where they look; or score a team's answers, as they are or as other telescopes would see.

    Example: equiradio evaluate runs/c4-attention-mirabest-fast-seed0
    """
    if through:
        from equiradio.cli.transfer import evaluate_through

        return evaluate_through(
            runs, through, data=data, split=split, data_dir=data_dir, device=device, precision=precision, as_json=as_json, prior=prior
        )
    if prior is not None:
        found, do = f"{prior} without --through", "Name a condition, or drop --prior."
        raise SettingRefusal("--prior", found, "--through: predictions of runs are those of their own mix", do)
    from equiradio.verbs.evaluate_asked import cautions, check_options, is_team, one_run

    check_options(batches, precision, passes)
    teams = [each for each in runs if is_team(each)]
    if split == "all" and not teams:
        raise SettingRefusal("--split", "all, of a run", "train, validation or test", "Choose one; all is for teams.")
    for run in runs:
        if run not in teams:
            one_run(run)  # or a refusal, before PyTorch is opened
    if teams:
        from equiradio.cli.team_scores import evaluate_teams

        if len(teams) < len(runs):
            found = f"{teams[0]}, a team, beside a run"
            raise SettingRefusal("RUN|TEAM", found, "runs alone, or teams alone", "Ask about them one after the other.")
        return evaluate_teams(teams, data=data, split=split, data_dir=data_dir, device=device, precision=precision, as_json=as_json)
    check_data(data)
    from equiradio.cli.progress import bars
    from equiradio.cli.tables import print_table
    from equiradio.compute.device import choose_device
    from equiradio.report.table import metrics_tables
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
        for line in cautions(run, answers[str(run)]):
            say(line, err=True)
        if not as_json:
            metrics = answers[str(run)]
            if metrics["calibration"]:
                title = f"{run}: {metrics['data']}, {metrics['split']}, 95 % intervals over sources"
                for number, table in enumerate(metrics_tables(metrics)):
                    print_table(*table, "" if number else title)
            _print_calibration(metrics, run)
    if as_json:
        typer.echo(json.dumps(answers, indent=2))


def _print_calibration(metrics: "Metrics", run: Path) -> None:
    scored = metrics["calibration"]
    if scored:
        typer.echo(
            f"per source: negative log-likelihood {scored['nll']:.3f}, Brier score {scored['brier']:.3f}, "
            f"expected calibration error {scored['ece']:.3f}"
        )
    else:
        labels = Run(run).card().labels
        word = labels.name_of(UNKNOWN).capitalize()
        typer.echo(f"{word} sources have no {' or '.join(labels)} label: predictions only, no scores.")
    if soft := metrics.get("soft"):
        typer.echo(f"against soft labels: cross-entropy {soft['cross_entropy']:.3f}, of which {soft['entropy']:.3f} is the labels' own")
    maps = "maps, " if Run(run).maps_file.is_file() else ""
    say(f"written to {run}: predictions, metrics, {maps}figures")
