"""The verb ``models``."""

import json

import typer

from equiradio.artefacts.team import TeamCard
from equiradio.artefacts.team_scores import Measured, measured
from equiradio.cli.options import JSON
from equiradio.folders import WEIGHTS
from equiradio.printable import with_interval

SCORES = ("test accuracy", "AUC", "Confident", "ECE", "NLL", "answered", "of these right")
COLUMNS = ("model", "here", "members", "poses", *SCORES, "weights' licence")
SPARE = ("weights' licence", "NLL", "ECE", "poses", "members", "Confident", "AUC")  # left out in this order where the terminal is narrow


def models(as_json: bool = JSON) -> None:
    """List the trained weights that can be opened by name, with scores measured on MiraBest's 153 test sources, and licences.

    Example: equiradio models --json
    """
    from equiradio.artefacts.shelf import default_name, list_models, names_here
    from equiradio.cli.tables import print_table, print_text

    cards, default, here = list_models(), default_name(), names_here()
    if as_json:
        about = [{"name": name, "default": name == default, "here": name in here} | card.as_json() for name, card in cards.items()]
        typer.echo(json.dumps(about, indent=2))
        return
    rows = [_row(name, card, default, name in here) for name, card in cards.items()]
    print_table(COLUMNS, rows, "teams that open by name; scores with 95 % intervals over sources", SPARE)
    data = cards[default].members[0].data
    print_text(f"* default of 'equiradio classify': {default}, of those that learned from {data} the lowest validation NLL")
    if elsewhere := [name for name in cards if name not in here]:
        print_text(f"weights not here: {', '.join(elsewhere)}; set {WEIGHTS} to the folder that holds them")


def _row(name: str, card: TeamCard, default: str, here: bool) -> list[str]:
    test = card.test
    number = lambda value: "-" if value is None else f"{value:.3f}"
    score = lambda part, key: _shown(measured(test, part, key))
    shown = [name + (" *" if name == default else ""), "yes" if here else "no", str(len(card.members)), str(card.poses or "-")]
    shown += [
        score("all", "accuracy"),
        score("all", "auc"),
        score("confident", "accuracy"),
        number(test.get("ece")),
        number(test.get("nll_after")),
    ]
    return [*shown, number(test.get("coverage")), score("answered", "accuracy"), card.members[0].licence.partition(" ")[0]]


def _shown(score: Measured | None) -> str:
    return "-" if score is None else with_interval(score["value"], score["interval95"])
