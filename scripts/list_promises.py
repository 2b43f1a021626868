"""Write tables of what packaged teams promise of their answers into docs/reference/catalogue.md, between their markers.

Usage: python scripts/list_promises.py [--test FOLDER]            (from the repository's root)

Of sets the cards have all. For accuracy, test sources are asked by every team, which takes minutes; what was asked is put aside in
FOLDER/NAME, as complete_cards.py does.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import markers
from scipy.stats import binomtest

from equiradio.artefacts.shelf import find_team, list_models
from equiradio.artefacts.team import TeamFolder
from equiradio.datasets.registry import open_data
from equiradio.evaluation.calibration import top_probability
from equiradio.evaluation.expected import expected_row
from equiradio.inference.asking import Asking
from equiradio.inference.team import load
from equiradio.sky.conditions import OWN, Condition
from equiradio.verbs.resolution_choice import views_of
from equiradio.verbs.team_choices import usual_to

TARGET = Path("docs/reference/catalogue.md")


def sets() -> list[str]:
    """A row for each team whose card has sets."""
    lines = ["| team | FRI | FRII | all | one class | both | right where one |", "|---" * 7 + "|"]
    for name, card in list_models().items():
        if test := card.sets.get("test"):
            parts = [_share(test[part]["coverage"], test[part]["interval95"]) for part in ("FRI", "FRII", "all")]
            rest = [f"{100 * test['all'][part]:.0f}" for part in ("single", "several", "single_accuracy")]
            lines.append(f"| `{name}` | {' | '.join([*parts, *rest])} |")
    return lines


def accuracies(answers: Path) -> Iterator[str]:
    """Rows for each team, of answered and of abstained test sources: what was expected, and what was right."""
    yield from ("| team | test sources | number | expected | right |", "|---" * 5 + "|")
    for name, card in list_models().items():
        if card.expected.get("rows"):
            folder = TeamFolder(find_team(name).path)
            (answers / name).mkdir(parents=True, exist_ok=True)
            asking = Asking(load(name, "cpu").members, answers / name, lambda *_: None)
            views = views_of(card, asking, open_data(card.members[0].data).of_split("test"), Condition(), "test")
            answered = (top_probability(views.p) >= (card.threshold or 0)) & usual_to(folder, card, views.features)
            answered &= ~(views.beams < (card.resolved_from or 0))
            for word, inside in (("answered", answered), ("abstained from", ~answered)):
                of = [None if beams != beams else float(beams) for beams in views.beams[inside]]
                found = [expected_row(card.expected["rows"], OWN.major, beams, word == "answered") for beams in of]
                mean = sum(row["accuracy"] for row in found if row) / len(found)
                right, edges = views.right[inside], binomtest(int(views.right[inside].sum()), len(found)).proportion_ci(0.95)
                yield f"| `{name}` | {word} | {len(found)} | {100 * mean:.0f} % | {_share(right.mean(), [edges.low, edges.high])} |"


def _share(value: float | None, edges: list[float] | None) -> str:
    """Percent, with its interval."""
    return "-" if value is None or edges is None else f"{100 * value:.0f} % ({100 * edges[0]:.0f} to {100 * edges[1]:.0f})"


def main(answers: Path) -> None:
    parts = {"sets": sets, "expected": lambda: accuracies(answers)}
    TARGET.write_text(markers.filled(TARGET.read_text(encoding="utf-8"), parts), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", type=Path, help="a folder for answers; by default one that is deleted")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        main(given.test or Path(spare))
