"""Weights that come with the package: where they lie, and what their card says of an ensemble."""

import json
from pathlib import Path
from typing import Any

from equiradio.errors import ModelRefusal, RunRefusal, nearest

PACKAGED = Path(__file__).parents[1] / "weights"


def packaged_names() -> list[str]:
    """Names of the models whose weights come with the package."""
    return sorted(path.parent.name for path in PACKAGED.glob("*/card.json"))


def packaged_card(name: str) -> dict[str, Any]:
    """The card of packaged weights.

    Raises
    ------
    ModelRefusal : none of that name.
    RunRefusal : the card is damaged.
    """
    if name not in packaged_names():
        do = nearest(name, packaged_names())
        raise ModelRefusal("model", f"'{name}' is neither packaged nor a run folder", ", ".join(packaged_names()), do)
    file = PACKAGED / name / "card.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunRefusal(file, f"cannot be read ({error})", "a card in JSON", "Install the package again.") from None


def default_name() -> str:
    """The packaged model with the lowest validation negative log-likelihood.

    That of the calibrated ensembles where every card has it; else the mean over members of that of their training.
    """
    cards = {name: packaged_card(name) for name in packaged_names()}
    if not cards:
        raise ModelRefusal("model", "no weights come with this package", "at least one card", "Name a run with --model.")
    calibrated = all("validation" in card for card in cards.values())
    return min(cards, key=lambda name: _likelihood(cards[name], calibrated))


def _likelihood(card: dict[str, Any], calibrated: bool) -> float:
    if calibrated:
        return card["validation"]["nll_after"]
    losses = [member["best_validation_loss"] for member in card["members"]]
    return sum(losses) / len(losses)
