"""What a team is, in a few words."""

from typing import Any

from equiradio.artefacts.team import TeamCard


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
    return shown | {"test accuracy": measured(card.test, "accuracy"), "licence": first.licence}


def measured(test: dict[str, Any], score: str, part: str = "all") -> str:
    """A test score with its 95 % interval, or that there is none."""
    scored = test.get(part, {}).get(score)
    if not scored:
        return "not measured"
    low, high = scored["interval95"]
    return f"{scored['value']:.3f} ({low:.3f} to {high:.3f})"
