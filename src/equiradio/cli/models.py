"""The verb ``models``."""

import json

import typer

from equiradio.artefacts.team import TeamCard
from equiradio.cli.options import JSON

COLUMNS = ("model", "members", "poses", "test accuracy", "AUC", "Confident", "ECE", "NLL", "answered", "of these right", "weights' licence")


def models(as_json: bool = JSON) -> None:
    """List the trained weights that come with the package, with scores measured on MiraBest's 153 test sources, and licences.

    Example: equiradio models --json
    """
    from equiradio.artefacts.shelf import default_name, team_card_of, team_names
    from equiradio.cli.progress import print_table

    cards, default = {name: team_card_of(name) for name in team_names()}, default_name()
    if as_json:
        typer.echo(json.dumps([{"name": name, "default": name == default} | card.as_json() for name, card in cards.items()], indent=2))
        return
    print_table(COLUMNS, [_row(name, card, default) for name, card in cards.items()], "packaged weights, 95 % intervals over sources")
    typer.echo(f"default of 'equiradio classify': {default}, the lowest negative log-likelihood on validation")


def _row(name: str, card: TeamCard, default: str) -> list[str]:
    test = card.test
    number = lambda key: f"{test[key]:.3f}" if key in test else "-"
    score = lambda part, key: _interval(test[part][key]) if part in test else "-"
    shown = [name + (" *" if name == default else ""), str(len(card.members)), str(card.poses or "-")]
    shown += [score("all", "accuracy"), score("all", "auc"), score("confident", "accuracy"), number("ece"), number("nll_after")]
    return [*shown, number("coverage"), score("answered", "accuracy"), card.members[0].licence.partition(" ")[0]]


def _interval(score: dict) -> str:
    low, high = score["interval95"]
    return f"{score['value']:.3f} ({low:.2f}-{high:.2f})"
