"""Write the tables of results/transfer/ into docs/reference/transfer.md, between their markers.

Usage: python scripts/list_transfer.py            (from the repository's root)
"""

import json
from pathlib import Path
from typing import Any

import markers

ROOT = Path(__file__).parents[1]
RESULTS, TARGET = ROOT / "results" / "transfer", ROOT / "docs" / "reference" / "transfer.md"
SCORES = ("accuracy", "balanced_accuracy", "calibration_error", "answered", "right_of_answered")
OF_SIZE = ("accuracy", "balanced_accuracy", "answered", "right_of_answered")
FLAGS = ("unusual", "unresolved", "beam_untested", "not_detected", "off_target")


def conditions(file: str) -> list[str]:
    """A row for each condition."""
    names = ("seen", "right", "balanced", "calibration error", "answered", "right of these", *(f"`{flag}`" for flag in FLAGS))
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for each in _read(file):
        part, blank = each["all"], f", {each['blank']} blank" if each["blank"] else ""
        flags = [f"{100 * part['flags'].get(flag, 0):.0f}" for flag in FLAGS]
        lines.append(f"| {each['condition']}{blank} | {' | '.join([*(_shown(part[name]) for name in SCORES), *flags])} |")
    return lines


def strata(file: str) -> list[str]:
    """A row for each condition and number of beams across."""
    lines = ["| seen | beams across | sources | right | balanced | answered | right of these |", "|---" * 7 + "|"]
    for each in _read(file):
        for stratum in each["strata"]:
            part, low = stratum["part"], f"{stratum['low']:g}"
            beams = f"{low} or more" if stratum["high"] is None else f"{low} to {stratum['high']:g}"
            lines.append(f"| {each['condition']} | {beams} | {part['sources']} | {' | '.join(_shown(part[name]) for name in OF_SIZE)} |")
    return lines


def _read(file: str) -> list[dict[str, Any]]:
    return json.loads((RESULTS / file).read_text(encoding="utf-8"))["conditions"]


def _shown(score: dict[str, Any]) -> str:
    """Percent, with its interval where there is one."""
    if score["value"] is None:
        return "-"
    edges = score["interval95"]
    return f"{100 * score['value']:.0f}" + (f" ({100 * edges[0]:.0f} to {100 * edges[1]:.0f})" if edges else "")


PARTS = {
    "validation": lambda: conditions("c4-attention-validation.json"),
    "test": lambda: conditions("c4-attention-test.json"),
    "beams": lambda: strata("c4-attention-validation.json"),
    "wide-validation": lambda: conditions("quick-wide-validation.json"),
    "wide-test": lambda: conditions("quick-wide-test.json"),
}


def filled(text: str) -> str:
    """The document with its tables as results/transfer/ has them now."""
    return markers.filled(text, PARTS)


if __name__ == "__main__":
    TARGET.write_text(filled(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
