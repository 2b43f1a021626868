"""The verb ``evaluate`` of teams: scores of their answers, as tables or JSON."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equiradio.cli.transfer import COLUMNS, part_cells, score_each, shown_score

if TYPE_CHECKING:
    from equiradio.verbs.evaluate_team import TeamScores

OF_CLASSES = ("class", "labelled", "called so", "recall", "precision", "F1")


def evaluate_teams(teams: list[Path], *, as_json: bool, device: str, **options: Any) -> None:
    """Score every team, and print it."""

    def score(team: Path, **more: Any) -> "TeamScores":
        from equiradio.verbs.evaluate_team import evaluate_team

        return evaluate_team(team, **more, **options)

    def show(team: Path, result: "TeamScores") -> None:
        if not as_json:
            _print(result)

    score_each(teams, score, show, data=options["data"], device=device, as_json=as_json)


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
