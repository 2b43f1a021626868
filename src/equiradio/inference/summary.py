"""What a team is, in a few words."""

from equiradio.artefacts.team import TeamCard
from equiradio.artefacts.team_scores import Measured, measured
from equiradio.printable import with_interval


def summary(name: str, card: TeamCard) -> dict[str, str]:
    """Names and values for a notebook."""
    first = card.members[0]
    shown = {
        "model": name,
        "group": first.group,
        "classes": str(card.labels),
        "members": ", ".join(f"seed {seed}" for seed in card.seeds),
        "trained on": f"{first.data}, preset {first.preset}",
    }
    if card.temperature is not None and card.threshold is not None:
        shown["temperature"] = f"{card.temperature:.3f}"
        shown["abstains below"] = f"{card.threshold:.3f}"
    return shown | {"test accuracy": _shown(measured(card.test, "all", "accuracy")), "licence": first.licence}


def _shown(score: Measured | None) -> str:
    """A test score with its 95 % interval, or that there is none."""
    return "not measured" if score is None or score["value"] is None else with_interval(score["value"], score["interval95"])
