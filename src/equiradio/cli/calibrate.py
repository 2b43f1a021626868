"""The verb ``calibrate``."""

import json
from pathlib import Path
from typing import Any

import typer

from equiradio.artefacts.team import CascadeChoice, TeamFolder
from equiradio.artefacts.team_scores import SplitScores, ValidationScores, measured
from equiradio.cli import completion
from equiradio.cli.interruption import Interrupted
from equiradio.cli.lines import say
from equiradio.cli.options import DATA_DIR, DEVICE, JSON, Device, check_data
from equiradio.printable import count_of


def calibrate(
    runs: list[Path] = typer.Argument(help="Finished runs that differ in nothing but their seed.", metavar="RUN...", show_default=False),
    out: Path = typer.Option(..., "--out", help="The team's folder, new.", show_default=False),
    data: str = typer.Option(
        None,
        "--data",
        help="A data set, or a folder or table of images; default the one that the runs were trained on.",
        show_default=False,
        autocompletion=completion.data_sets,
    ),
    cascade: str = typer.Option(
        None,
        "--cascade",
        help="A better team, by name or folder, to be asked where this one is not sure.",
        show_default=False,
        autocompletion=completion.teams,
    ),
    poses: int = typer.Option(8, "--poses", help="At most so many poses are tried: 1, 2, 4 or 8."),
    device: Device = DEVICE,
    data_dir: Path = DATA_DIR,
    as_json: bool = JSON,
) -> None:
    """Make a team of runs: poses, temperature, threshold and reach chosen on validation, the test split looked at once.

    Example: equiradio calibrate runs/c4-attention-mirabest-fast-seed* --out teams/c4
    """
    from equiradio.artefacts.team import run_of

    for run in runs:
        run_of(run)  # or a refusal, before PyTorch is opened
    check_data(data)
    from equiradio.cli.progress import bars
    from equiradio.cli.tables import print_table
    from equiradio.compute.device import choose_device
    from equiradio.verbs.calibrate import calibrate as run_calibration

    try:
        with bars() as step:
            about: dict[str, Any] = {"data_dir": data_dir, "device": choose_device(device), "progress": step}
            card = run_calibration(runs, out, data=data, most_poses=poses, cascade=cascade, **about)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted. Answers are kept in {out}.parts; run the same command to go on.") from None
    if as_json:
        typer.echo(json.dumps(card.as_json(), indent=2))
        return
    print_table(("", "validation", "test"), _rows(card.validation, card.test), f"{card.model}, {count_of(len(card.members), 'member')}")
    typer.echo(f"{count_of(card.poses or 0, 'pose')}, temperature {card.temperature:.3f}, abstains below {card.threshold:.3f}")
    if card.cascade:
        typer.echo(_cascade(card.cascade))
    say(f"{TeamFolder(out).page_file}: what was measured, to look at")
    say(f"{out}: open it by --model {out}, or equiradio.load('{out}')")


def _cascade(chosen: CascadeChoice) -> str:
    """What a cascade is worth, in a line or two."""
    lines = [f"its answer counts from probability {chosen['threshold']:.3f}; {chosen['team']} is asked about the others"]
    for name, split in (("validation", chosen["validation"]), ("test", chosen.get("test"))):
        if split is not None:
            alone = f"{chosen['team']} alone {split['team_accuracy']:.3f}, {split['team_nll']:.3f}"
            both = f"accuracy {split['accuracy']:.3f}, negative log-likelihood {split['nll']:.3f} ({alone})"
            lines.append(f"{name}: {100 * split['asked']:.0f} % asked, {100 * split['answered']:.0f} % answered, {both}")
    return "\n".join(lines)


def _rows(validation: ValidationScores, test: SplitScores) -> list[list[str]]:
    number = lambda value: "-" if value is None else f"{value:.3f}"
    right = lambda part: number(None if (score := measured(test, part, "accuracy")) is None else score["value"])
    return [
        ["sources", str(validation["sources"]), str(test["all"]["sources"] if "all" in test else "-")],
        ["accuracy", number(validation["accuracy"]), right("all")],
        ["negative log-likelihood", number(validation["nll_after"]), number(test.get("nll_after"))],
        ["expected calibration error", number(validation["ece_after"]), number(test.get("ece"))],
        ["share answered", number(validation["coverage"]), number(test.get("coverage"))],
        ["right of these", number(validation["selective_accuracy"]), right("answered")],
    ]
