"""What a classifier is, in a few words."""

from typing import Any

from equiradio.inference.classifier import Classifier


def summary(classifier: Classifier) -> dict[str, str]:
    """Names and values for a notebook."""
    card, packaged = classifier.card, classifier.packaged
    shown = {
        "model": classifier.name,
        "group": card.group,
        "members": ", ".join(f"seed {member.card.seed}" for member in classifier.members),
        "trained on": f"{card.data}, preset {card.preset}",
    }
    if "temperature" in packaged:
        shown["temperature"] = f"{packaged['temperature']:.3f}"
        shown["abstains below"] = f"{packaged['threshold']:.3f}"
    return shown | {"test accuracy": measured(packaged, "accuracy"), "licence": card.licence}


def measured(packaged: dict[str, Any], score: str, part: str = "all") -> str:
    """A test score with its 95 % interval, or that there is none."""
    known = packaged.get("test", {}).get(part, {}).get(score)
    if not known:
        return "not measured"
    low, high = known["interval95"]
    return f"{known['value']:.3f} ({low:.3f} to {high:.3f})"
