"""The verb ``models``."""

import json

import typer

from equiradio.artefacts.team import Measured, TeamCard, measured
from equiradio.cli.options import JSON
from equiradio.folders import WEIGHTS

COLUMNS = ("model", "members", "poses", "test accuracy", "AUC", "Confident", "ECE", "NLL", "answered", "of these right", "weights' licence")


def models(as_json: bool = JSON) -> None:
    """List the trained weights that can be opened by name, with scores measured on MiraBest's 153 test sources, and licences.

    Example: equiradio models --json
    """
    from equiradio.artefacts.shelf import default_name, list_models, names_here
    from equiradio.cli.progress import print_table

    cards, default, here = list_models(), default_name(), names_here()
    if as_json:
        about = [{"name": name, "default": name == default, "here": name in here} | card.as_json() for name, card in cards.items()]
        typer.echo(json.dumps(about, indent=2))
        return
    print_table(COLUMNS, [_row(name, card, default) for name, card in cards.items()], "packaged weights, 95 % intervals over sources")
    typer.echo(f"default of 'equiradio classify': {default}, the lowest negative log-likelihood on validation")
    if elsewhere := [name for name in cards if name not in here]:
        typer.echo(f"weights not on this machine: {', '.join(elsewhere)}; set {WEIGHTS} to the folder that holds them")


def _row(name: str, card: TeamCard, default: str) -> list[str]:
    test = card.test
    number = lambda value: "-" if value is None else f"{value:.3f}"
    score = lambda part, key: _interval(measured(test, part, key))
    shown = [name + (" *" if name == default else ""), str(len(card.members)), str(card.poses or "-")]
    shown += [
        score("all", "accuracy"),
        score("all", "auc"),
        score("confident", "accuracy"),
        number(test.get("ece")),
        number(test.get("nll_after")),
    ]
    return [*shown, number(test.get("coverage")), score("answered", "accuracy"), card.members[0].licence.partition(" ")[0]]


def _interval(score: Measured | None) -> str:
    if score is None or score["interval95"] is None:
        return "-"
    low, high = score["interval95"]
    return f"{score['value']:.3f} ({low:.2f}-{high:.2f})"
