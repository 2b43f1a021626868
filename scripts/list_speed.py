"""Write the tables of results/speed/ into docs/notebook/performance.md, between their markers.

Usage: python scripts/list_speed.py            (from the repository's root)
"""

import json
from pathlib import Path
from textwrap import wrap
from typing import Any

import markers

from equiradio.bench.summary import peaks_text

ROOT = Path(__file__).parents[1]
SPEED, TARGET = ROOT / "results" / "speed", ROOT / "docs" / "notebook" / "performance.md"
PROSE = 120  # characters a line
PEERS = SPEED / "peers-cpu.json"
REACH = {  # ratios to e2cnn that we set out to reach: training, inference
    "lenet": (3, 3),
    "attention": (4, 5),
    "c4-attention": (3, 3),
    "d4-attention": (2.5, 2.5),
    "c8-attention": (2.5, 2.5),
    "d8-attention": (3, 3),
    "c16-attention": (3, 3),
    "d16-attention": (4, 4),
}
SHOWN = {
    "e2cnn": "e2cnn",
    "e2cnn-kept-blocks": "e2cnn, our malloc",
    "escnn": "escnn",
    "float32-dense": "ours, float32 dense",
    "default": "ours, default",
}


def peers() -> list[str]:
    """Milliseconds per image of every variant, how many times faster than e2cnn our default is, and what was to be reached."""
    content = json.loads(PEERS.read_text())
    lines = []
    for number, task in enumerate(("training", "inference")):
        shown = [variant for variant in SHOWN if any(variant in row[task]["variants"] for row in content["summary"].values())]
        columns = ["model", "batch", *(SHOWN[variant] for variant in shown), "ratio", "reach", "of peak"]
        lines += [f"Milliseconds per image, {task}:", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        for model, row in content["summary"].items():
            measured = row[task]
            times = [_time(measured["variants"].get(variant)) for variant in shown]
            ratio, ours = measured["times_faster_than_e2cnn"].get("default"), measured["variants"].get("default", {})
            share = "-" if ours.get("share_of_peak") is None else f"{100 * ours['share_of_peak']:.0f} %"
            faster = f"{ratio['median']:.1f} ({ratio['low']:.1f} to {ratio['high']:.1f})" if ratio else "-"
            lines.append(f"| `{model}` | {row['batch']} | {' | '.join(times)} | {faster} | {REACH[model][number]} | {share} |")
        lines.append("")
    lines += ["Peak memory of a training step, MiB, and seconds to build the network:", ""]
    lines += ["| model | e2cnn | ours, default | share | e2cnn builds in | we build in |", "|---|---|---|---|---|---|"]
    for model, row in content["summary"].items():
        theirs, ours = (row["training"]["variants"].get(variant) for variant in ("e2cnn", "default"))
        if theirs and ours:
            share = f"{ours['peak_mib'] / theirs['peak_mib']:.2f}"
            built = f"{theirs['build_seconds']:.2f} | {ours['build_seconds']:.2f}"
            lines.append(f"| `{model}` | {theirs['peak_mib']:,} | {ours['peak_mib']:,} | {share} | {built} |")
    peaks = content["once"]["peaks"]
    machine = (
        f"The machine: {content['machine']['processor']}, {content['options']['threads']} threads; at most "
        f"{peaks_text(peaks)} thousand million multiply-adds a second in a large matrix product, "
        f"{peaks['copy_gb_per_second']:.0f} GB/s in a large copy."
    )
    return [*lines, "", *wrap(machine, PROSE)]


def _time(variant: dict[str, Any] | None) -> str:
    if not variant:
        return "-"
    median = variant["milliseconds_per_image"]["median"]
    return f"{median:.0f}" if median >= 100 else f"{median:.1f}" if median >= 10 else f"{median:.2f}"


def forms() -> list[str]:
    """Layers of each network in each form, and the network's time in the same precision with all layers dense over its own."""
    content = json.loads(PEERS.read_text())
    lines = ["| model | dense, Fourier, Winograd: training | inference | times faster than all dense, training | inference |"]
    lines.append("|---|---|---|---|---|")
    for model, row in content["summary"].items():
        once = content["once"]
        chosen = (once.get(f"{model}/default/forms") or once[f"{model}/default/plan"])["forms"]  # as older versions called it
        if chosen["training"]:
            taken = [list(chosen[task].values()) for task in ("training", "inference")]
            counts = [", ".join(str(forms.count(form)) for form in ("dense", "fourier", "winograd")) for forms in taken]
            gains = [_gain(row[task]["variants"]) for task in ("training", "inference")]
            lines.append(f"| `{model}` | {' | '.join(counts + gains)} |")
    return lines


def _gain(variants: dict[str, Any]) -> str:
    if "default-dense" not in variants:
        return "-"
    dense, ours = (variants[name]["milliseconds_per_image"]["median"] for name in ("default-dense", "default"))
    return f"{dense / ours:.1f}"


def accuracy() -> list[str]:
    """Accuracy and negative log-likelihood by group and arm, mean and standard deviation over seeds."""
    content = json.loads((SPEED / "accuracy.json").read_text())
    lines = ["| group | arm | seeds | accuracy, % | NLL |", "|---|---|---|---|---|"]
    for group, arms in content["summary"].items():
        for arm, row in arms.items():
            seeds = sum((run["group"], run["arm"]) == (group, arm) for run in content["runs"])
            values = [_spread(row["accuracy"], 100, 1), _spread(row["nll"], 1, 3)]
            lines.append(f"| {group} | {arm} | {seeds} | {' | '.join(values)} |")
    return lines


def gpu() -> list[str]:
    """Milliseconds per image, memory and forms of a GPU's training steps and answers."""
    content = json.loads((SPEED / "gpu-h200.json").read_text())
    lines = ["| model | training, ms per image | MiB | dense, Fourier | inference, ms per image | MiB | dense, Fourier |", "|---" * 7 + "|"]
    for model, row in content["models"].items():
        cells = []
        for task in ("training", "inference"):
            forms = list(row["forms"][task].values())
            counts = f"{forms.count('dense')}, {forms.count('fourier')}" if forms else "-"
            cells += [f"{row[task]['milliseconds_per_image']:.3f}", f"{row[task]['peak_mib']:,}", counts]
        lines.append(f"| `{model}` | {' | '.join(cells)} |")
    options, precisions = content["options"], {row["precision"] for row in content["models"].values()}
    return [*lines, "", f"The machine: {content['machine']}; batch {options['batch']}, {' and '.join(sorted(precisions))}."]


def _spread(score: dict[str, float | None], scale: float, digits: int) -> str:
    tail = "" if score["deviation"] is None else f" ± {scale * score['deviation']:.{digits}f}"
    return f"{scale * (score['mean'] or 0):.{digits}f}{tail}"


def filled(text: str) -> str:
    """The document with its tables as results/speed/ has them now."""
    return markers.filled(text, {"peers": peers, "forms": forms, "accuracy": accuracy, "gpu": gpu})


if __name__ == "__main__":
    TARGET.write_text(filled(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
