"""The paper's claims one by one, each with what would show it, what the results are, and what follows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from equiradio.paper.comparison_text import p_text, points_text
from equiradio.paper.contents import AsymmetryRow, Comparison, ConvergenceRow, Findings, OverlapRow, Table1
from equiradio.paper.published import BASES, PLAIN
from equiradio.paper.results import Results

LEVEL = 0.05  # of all tests


class Claim(NamedTuple):
    """``claim`` in the paper's words, our ``evidence``, ``verdict`` in a few words, and ``files`` the evidence comes from."""

    claim: str
    evidence: str
    verdict: str
    files: list[str]


def claims(results: Results, table: Table1, findings: Findings) -> list[Claim]:
    """All four of them."""
    equivariant = results.equivariant()
    return [
        _epochs(findings["images_to_converge"], equivariant),
        _performance(table, equivariant),
        _follows(findings),
        _asymmetry(findings["asymmetry"]),
    ]


def _epochs(rows: list[ConvergenceRow], groups: set[str]) -> Claim:
    claim = "“equivariant models train in fewer epochs”"
    models = sorted({row["model"] for row in rows})
    if not rows:
        return Claim(
            claim, "No run at a constant learning rate; a one-cycle schedule ends when it is told to and cannot show it.", "not tested", []
        )
    parts = []
    for model in models:
        images = [row["images"] for row in rows if row["model"] == model]
        parts.append(f"{model}: {', '.join(f'{number:,}' for number in images)} ({_runs(len(images))})")
    late = sum(row["lowest_epoch"] == row["epochs"] for row in rows)
    evidence = (
        "Training images seen until the validation loss was within 5 % of its lowest, constant learning rate, over the "
        f"{rows[0]['horizon']:,} images that every run saw: " + "; ".join(parts) + "."
    )
    if late:
        evidence += f" In {late} of {len(rows)} runs the lowest loss came in the last epoch, so the count is a lower bound."
    equivariant = [model for model in models if model in groups]
    files = [row["file"] for row in rows]
    if PLAIN not in models or not equivariant:
        lacking = "the equivariant models." if PLAIN in models else "attention and its equivariant kin."
        return Claim(claim, f"{evidence} Not run: {lacking}", "not tested", files)
    images_of = {model: [row["images"] for row in rows if row["model"] == model] for model in models}
    to_match = {model: [row["images_to_match"] for row in rows if row["model"] == model] for model in models}
    matched = {model: ", ".join("never" if n is None else f"{n:,}" for n in to_match[model]) for model in models}
    evidence += f" Until it was as low as every run of attention came ({rows[0]['to_match']:.3f}): "
    evidence += "; ".join(f"{model}: {images}" for model, images in matched.items()) + "."
    sooner = [model for model in equivariant if _median(to_match[model]) < _median(to_match[PLAIN])]
    fewer = [model for model in equivariant if _median(images_of[model]) < _median(images_of[PLAIN])]
    verdict = (
        f"{len(sooner)} of {len(equivariant)} came to the loss that every run of attention reached "
        "after fewer images than it (median run); "
        f"{len(fewer)} of {len(equivariant)} equivariant models saw fewer images than attention until their own lowest loss"
    )
    least = min(len(images_of[model]) for model in (*equivariant, PLAIN))
    return Claim(claim, evidence, verdict + (f" (by {_runs(least)} of some: an indication)" if least < 3 else ""), files)


def _runs(count: int) -> str:
    return "one run" if count == 1 else f"{count} runs"


def _median(images: Sequence[int | None]) -> float:
    """Runs that never came there are later than any; infinite where half of them are."""
    return float(np.median([np.inf if number is None else number for number in images]))


def _performance(table: Table1, groups: set[str]) -> Claim:
    claim = "“perform slightly better than their non-equivariant equivalents”"
    paper = [(row["model"], row["paper"]) for row in table["rows"] if row["paper"]]
    means = [100 * np.mean([scores["accuracy"] for model, scores in paper if (model not in BASES) == kind]) for kind in (True, False)]
    evidence = f"In the paper's own table the equivariant rows average {means[0]:.2f} % and the two others {means[1]:.2f} %. "
    pairs = [pair for pair in table["comparisons"] if pair["first"] in groups]
    for pair in pairs:
        boot, mixed, mcnemar = map(p_text, _p_values(pair))
        evidence += (
            f"Ours: {pair['first']} - {pair['second']} {points_text(pair['bootstrap'], ' points')}, "
            f"after Holm p = {boot} (single networks, bootstrap over sources), {mixed} (the same, over seeds and sources) and "
            f"{mcnemar} (ensembles, McNemar). "
        )
    short = [row["model"] for row in table["rows"] if row["undertrained"]]
    if short:
        evidence += f"Undertrained by this preset: {', '.join(short)}, so differences with it may be differences of training."
    return Claim(claim, evidence, _verdict(pairs), ["table1.json"])


def _verdict(pairs: list[Comparison]) -> str:
    """What the tests of all pairs come to; a test that has no p could not be made, and is counted as such."""
    if not pairs:
        return "not tested"
    signs = {"supported by {}": True, "contradicted by {}, worse": False}
    sure = [line for words, sign in signs.items() for line in _sure([pair for pair in pairs if _is_better(pair) == sign], words)]
    if sure:
        return "; ".join(sure)
    either = any(_is_better(pair) and min(_made(pair), default=1.0) < LEVEL for pair in pairs)
    lacking = [f"{_both(pair)}: {_how_many(pair)} could be made" for pair in pairs if len(_made(pair)) < len(_p_values(pair))]
    return "; ".join(["the tests disagree: suggested, not shown" if either else "not shown", *lacking])


def _p_values(pair: Comparison) -> list[float | None]:
    """The corrected p of every test, None of one that could not be made."""
    return [None if test is None else test["p_holm"] for test in (pair["bootstrap"], pair["mixed"], pair["mcnemar"])]


def _made(pair: Comparison) -> list[float]:
    return [p for p in _p_values(pair) if p is not None]


def _is_better(pair: Comparison) -> bool:
    return pair["bootstrap"]["difference"] > 0


def _both(pair: Comparison) -> str:
    return f"{pair['first']} against {pair['second']}"


def _how_many(pair: Comparison) -> str:
    return f"{len(_made(pair))} of {len(_p_values(pair))} tests"


def _sure(pairs: list[Comparison], words: str) -> list[str]:
    """The pairs that differ by all tests that could be made: a line of those alike, which says how many tests these were."""
    lines: dict[str, list[str]] = {}
    for pair in pairs:
        if max(_made(pair), default=1.0) < LEVEL:
            by = "every test" if None not in _p_values(pair) else f"{_how_many(pair)}, no other could be made"
            lines.setdefault(words.format(by), []).append(_both(pair))
    return [f"{words}: {', '.join(those)}" for words, those in lines.items()]


def _follows(findings: Findings) -> Claim:
    claim = "maps “align better … with the structures that would be attended by an expert”"
    rows = findings["overlap"]
    if not rows:
        return Claim(claim, "The overlap of maps with their sources needs the images. " + findings["lacking"], "not tested", [])
    shares = [f"{row['map']}{' untrained' if row['kind'] == 'untrained' else ''} {_share(row)}" for row in rows]
    trained = {row["map"]: row for row in rows if row["kind"] == "trained"}
    best = max((row for row in rows if row["kind"] == "untrained" or row["map"] == "centred Gaussian"), key=lambda row: row["mean"])
    above = [model for model, row in trained.items() if _edges(row)[0] > _edges(best)[1]]
    name = f"{best['map']}{' untrained' if best['kind'] == 'untrained' else ''}"
    verdict = f"above the best control that learned nothing ({name}): {', '.join(above) or 'none'}"
    evidence = "Share of a source's lit pixels among as many places of the map's highest values: " + "; ".join(shares) + "."
    return Claim(claim, evidence, verdict, sorted({file for row in rows for file in row["files"]}))


def _edges(row: OverlapRow) -> list[float]:
    edges = row["interval95"]
    assert edges is not None  # there is a source with lit pixels
    return edges


def _share(row: OverlapRow) -> str:
    low, high = _edges(row)
    return f"{row['mean']:.3f} [{low:.3f}, {high:.3f}]"


def _asymmetry(rows: list[AsymmetryRow]) -> Claim:
    claim = "the non-equivariant model has “a statistically significant asymmetry in its mean attention maps”"
    if not rows:
        return Claim(claim, "No maps over rotations by source (maps.npz without rotation_maps).", "not tested", [])
    measured = [
        f"{row['model']} {'untrained' if row['seed'] is None else 'seed ' + str(row['seed'])} {row['index']:.4f} "
        f"(p = {row['p']:.3f}; of the odd power {row['p_odd_power']:.3f})"
        for row in rows
    ]
    plain = [row for row in rows if row["model"] == PLAIN and row["seed"] is not None]
    sure = sum(row["p_odd_power"] < LEVEL for row in plain)
    evidence = (
        "Share of the class difference's power in its odd part: "
        + "; ".join(measured)
        + ". p: class labels of whole sources redrawn. A network "
        "that commutes with turns has a mean over uniform rotations that is symmetric under them by construction, whatever it learned."
    )
    verdict = f"odd part differs between classes at 5 % in {sure} of {len(plain)} plain networks" if plain else "not tested"
    fresh = [row for row in rows if row["seed"] is None]
    unlearnt = sum(row["p_odd_power"] < LEVEL for row in fresh)
    if plain and unlearnt:
        verdict += f", and in {unlearnt} of {len(fresh)} untrained ones: it need not be learnt"
    return Claim(claim, evidence, verdict, [row["file"] for row in rows])
