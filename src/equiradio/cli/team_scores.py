"""The verb ``evaluate`` of teams: scores of their answers, as tables or JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from equiradio.cli.lines import say
from equiradio.cli.options import check_data
from equiradio.cli.transfer import COLUMNS, part_cells, shown_score

if TYPE_CHECKING:
    from equiradio.verbs.evaluate_team import TeamScores

OF_CLASSES = ("class", "labelled", "called so", "recall", "precision", "F1")


def evaluate_teams(teams: list[Path], *, data: str | None, device: str, as_json: bool, **options: Any) -> None:
    """Score every team, and print it."""
    from equiradio.artefacts.shelf import check_trained

    check_data(data)
    check_trained(*teams)
    from equiradio.cli.progress import bars
    from equiradio.compute.device import choose_device
    from equiradio.verbs.evaluate_asked import unfinished_line
    from equiradio.verbs.evaluate_team import evaluate_team

    where, answers = choose_device(device), {}
    for team in teams:
        with bars() as step:
            answers[str(team)] = evaluate_team(team, data=data, device=where, progress=step, **options)
        if unfinished := answers[str(team)].get("unfinished"):
            say(unfinished_line(team, unfinished), err=True)
        if not as_json:
            _print(answers[str(team)])
    if as_json:
        typer.echo(json.dumps(answers, indent=2))


def _print(result: "TeamScores") -> None:
    from equiradio.cli.tables import print_table

    title = f"{result['model']}: {result['data']}, {result['split']}, in percent, 95 % intervals over sources"
    unanswered = f", {result['no_answer']} without an answer" if result["no_answer"] else ""
    print_table((*COLUMNS[1:-1], "AUC", "flags"), [_row(result, unanswered)], title)
    rows = [
        [name, f"{each['labelled']:,}", f"{each['called']:,}", *(shown_score(each[key]) for key in ("recall", "precision", "f1"))]
        for name, each in result["classes"].items()
    ]
    print_table(OF_CLASSES, rows, "By class, of all answers")


def _row(result: "TeamScores", unanswered: str) -> list[str]:
    sources, *cells, flags = part_cells(result["all"])
    return [sources + unanswered, *cells, shown_score(result["auc"]), flags]
