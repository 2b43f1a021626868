"""Figures, their tables and the page of an explanation, drawn from what its parts have left on disk."""

from itertools import combinations
from typing import Any

import numpy as np

from equiradio.artefacts.atomic import write_text
from equiradio.evaluation.selective import entropy, selective_accuracy
from equiradio.explain.case import Case, Folder
from equiradio.explain.equivariance import inscribed
from equiradio.explain.faithfulness import similarity
from equiradio.explain.parts.astronomy import COLUMNS as ASTRONOMY
from equiradio.explain.parts.faithfulness import KINDS
from equiradio.explain.residual import WIDTHS, order_excess, peak_test, shares
from equiradio.labels import FANAROFF_RILEY, UNKNOWN
from equiradio.report.explanation_figures import gallery, layers_figure, randomisation_figure, residue_figure, symmetry_figure
from equiradio.report.explanation_measures import astronomy_figure, faithfulness_figure, lifts_figure, uncertainty_figure
from equiradio.report.explanation_text import (
    HEADLINES,
    LIFT_COLUMNS,
    MARK_COLUMNS,
    METHOD_COLUMNS,
    REPLACED_COLUMNS,
    headline_rows,
    lift_rows,
    mark_rows,
    method_rows,
    number,
    p_text,
    replaced_rows,
)
from equiradio.report.explanation_text import KINDS as SAID
from equiradio.report.figures import save
from equiradio.report.page import Page

MODELS_SHOWN = 4


def write_page(case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Draw everything and write ``OUT/index.html``."""
    page = Page(f"Explanation of {case.name}")
    about = answer["about"]
    seconds, passes = (sum(part[key] for part in answer.values() if key in part) for key in ("seconds", "passes"))
    page.text(
        f"{about['model']} (group {about['group']}) on {about['data']}, {about['split']}: {about['sources']} sources, evenly spaced "
        f"through each class so that nobody picked them. {passes:,} images were shown to networks in {seconds / 60:.1f} minutes."
    )
    page.table(HEADLINES, headline_rows(answer))
    for section in (_symmetry, _faithfulness, _evidence, _astronomy, _uncertainty, _gallery):
        section(page, case, folder, answer, other)
    write_text(folder.path / "index.html", page.render())


def _symmetry(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    arrays, angles = folder.arrays("symmetry"), np.array(case.plan.angles)
    shared, ours, theirs, name = _comparable(arrays, other)
    against = (name, shared, theirs["errors"], theirs["shifts"]) if theirs else None
    gates = arrays["errors"].shape[-1] - 1
    planes = [*(f"gate_{gate + 1}" for gate in range(gates)), "combined"]
    columns = ["angle_deg", "source_id", *(f"error_{plane}" for plane in planes), "floor_combined", "shift_of_p"]
    rows = [
        [float(angle), source, *map(float, arrays["errors"][a, s]), float(arrays["floor"][a, s, -1]), float(arrays["shifts"][a, s])]
        for a, angle in enumerate(angles)
        for s, source in enumerate(arrays["source_id"])
    ]
    folder.write_table("symmetry", columns, rows)
    page.heading("Symmetry against angle")
    picture = symmetry_figure(angles, arrays["errors"], arrays["floor"], arrays["shifts"], against)
    page.picture(
        save(picture, folder.figure("symmetry")), "Error of the maps inside the inscribed circle; bands: 95 % intervals of the mean."
    )
    if ours and theirs:
        mine, their = (found["errors"][shared % 90 > 0, :, -1].mean(0) for found in (ours, theirs))
        test = peak_test(their - mine)
        answer["against"] = {"name": name, "error": mine.mean(), "their_error": their.mean(), "ratio": mine.mean() / their.mean(), **test}
        page.text(
            f"Against {name}: mean error {mine.mean():.3f} against {their.mean():.3f}, a ratio of {mine.mean() / their.mean():.2f}; "
            f"smaller here source by source: p {p_text(test['p_value'])} (Wilcoxon, one-sided, {test['sources']} sources)."
        )
    lost = folder.arrays("layers")
    names = [str(one) for one in lost["names"]]
    folder.write_table(
        "layers",
        ["layer", *(f"error_{k}" for k in range(lost["errors"].shape[1]))],
        [[n, *map(float, e)] for n, e in zip(names, lost["errors"], strict=True)],
    )
    page.picture(
        save(layers_figure(names, lost["errors"]), folder.figure("layers")), "Where symmetry is lost: Lie-derivative error layer by layer."
    )
    _residue(page, folder, answer, arrays, (shared, ours, theirs, name))


def _residue(page: Page, folder: Folder, answer: dict[str, Any], arrays: dict, pair: tuple) -> None:
    shared, ours, theirs, name = pair
    spectra = [_spectrum(found) for found in (arrays, theirs) if found]
    residue = answer["symmetry"]["residue"]
    order, excess = residue["tested_order"], residue["excess"]
    columns = ["harmonic", "share_mean", *(f"round_{width:g}" for width in WIDTHS)]
    mean, centred = spectra[0][0].mean(0), spectra[0][1]
    folder.write_table("residue", columns, [[m + 1, float(mean[m]), *map(float, centred[:, m])] for m in range(len(mean))])
    page.heading("The residue")
    against = (name, *spectra[1]) if theirs else None
    picture = save(residue_figure(*spectra[0], WIDTHS, order, against), folder.figure("residue"))
    page.picture(picture, f"Angular harmonics around the centre; grey lines: multiples of {order}.")
    page.text(
        f"Harmonics at multiples of {order} stand above their neighbours by a factor of {np.exp(excess['median']):.2f} (median over "
        f"sources; one-sided Wilcoxon p {p_text(excess['p_value'])})."
    )
    if theirs:
        mine, their = (order_excess(found["power"][shared % 90 > 0].mean(0), order) for found in (ours, theirs))
        test = peak_test(mine, their)
        answer["against"]["residue"] = {"tested_order": order, **test}
        page.text(f"More so than in {name}: median difference of the logarithm {number(test['median'], 2)}, p {p_text(test['p_value'])}.")


def _spectrum(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    power, centred = arrays["power"][1:].mean(0), arrays["round_power"]
    return shares(power), centred[:, 1:] / np.maximum(centred[:, :1], 1e-30)


def _comparable(ours: dict[str, np.ndarray], other: Folder | None) -> tuple[np.ndarray, dict | None, dict | None, str]:
    """Two symmetry parts of the same sources at the angles that both have: angles, ours, theirs and the other's name; else no pair."""
    nothing = (np.empty(0), None, None, "")
    if other is None:
        return nothing
    theirs = other.arrays("symmetry")
    angles = np.intersect1d(ours["angles"], theirs["angles"])
    if not np.array_equal(theirs["source_id"], ours["source_id"]) or not np.any(angles % 90 > 0):
        return nothing
    pair = []
    for found in (ours, theirs):
        rows = np.searchsorted(found["angles"], angles)
        pair.append(found | {name: found[name][rows] for name in ("errors", "floor", "shifts", "power")})
    return angles, pair[0], pair[1], other.path.name


def _faithfulness(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    arrays, found = folder.arrays("faithfulness"), answer["faithfulness"]
    rows = [
        [
            kind,
            str(case.sources.source_ids[source]),
            *map(float, arrays["deletion_curves"][k, s]),
            *map(float, arrays["insertion_curves"][k, s]),
        ]
        for k, kind in enumerate(KINDS)
        for s, source in enumerate(case.deep)
    ]
    columns = ["map", "source_id", *(f"{way}_{100 * fraction:g}" for way in ("deletion", "insertion") for fraction in case.plan.fractions)]
    folder.write_table("faithfulness", columns, rows)
    page.heading("Faithfulness, as lift over controls")
    picture = save(
        faithfulness_figure(case.plan.fractions, arrays["deletion_curves"], arrays["insertion_curves"]), folder.figure("faithfulness")
    )
    page.picture(picture, f"Pixels replaced by the image's own sky, {len(case.deep)} sources.")
    page.text(
        f"Sky: pixels drawn from outside the image's islands. MiraBest is clipped at 3 sigma, so "
        f"{100 * (1 - found['background_lit']):.1f} % of that sky is exactly zero: a deleted pixel looks like any empty pixel of the data, "
        "and the network is asked about images that could occur. It also means that deleting what is dark already changes nothing, so that "
        "only the order among lit pixels counts."
    )
    folder.write_table("lifts", LIFT_COLUMNS, lift_rows(found))
    page.picture(
        save(lifts_figure(found["lifts"], found["departure_lifts"]), folder.figure("lifts")),
        "Lift over each control, 95 % bootstrap intervals.",
    )
    page.table(LIFT_COLUMNS, lift_rows(found))
    lost = [SAID[kind] for kind in KINDS if any(kind in kinds for kinds in found["wins"].values())]
    page.text(
        f"Controls that beat attention on some measure: {', '.join(lost)}."
        if lost
        else "No control beats attention for sure on any measure."
    )
    _randomised(page, case, folder, arrays)


def _randomised(page: Page, case: Case, folder: Folder, arrays: dict[str, np.ndarray]) -> None:
    stages = [str(stage) for stage in arrays["stages"]]
    folder.write_table(
        "randomisation",
        ["stage", *(str(case.sources.source_ids[k]) for k in case.deep)],
        [[n, *map(float, v)] for n, v in zip(stages, arrays["cascade"], strict=True)],
    )
    picture = save(randomisation_figure(stages, arrays["cascade"]), folder.figure("randomisation"))
    page.picture(picture, "Randomisation test: does the map change when what was learnt is taken away?")


def _evidence(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    found = answer["evidence"]
    page.heading("What attention does to the answer")
    if not found["linear"]:
        page.text(f"The answer cannot be taken apart. {found['reason']}")
        return
    page.text(
        "The heads are linear, so the logits are a sum over pixels of attention times a reading of the features. "
        f"Below: {found['sources']} sources answered with other maps in place of attention, and how well each part marks the source."
    )
    page.table(REPLACED_COLUMNS, replaced_rows(found))
    page.table(MARK_COLUMNS, mark_rows(found))


def _astronomy(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    arrays, found = folder.arrays("astronomy"), answer["astronomy"]
    names = ("label", "p_frii", *ASTRONOMY)
    rows = [
        [str(source), int(arrays["label"][k]), *(float(arrays[name][k]) for name in names[1:])]
        for k, source in enumerate(arrays["source_id"])
    ]
    folder.write_table("astronomy", ("source_id", *names), rows)
    page.heading("As astronomers do")
    page.picture(save(astronomy_figure(arrays), folder.figure("astronomy")), "Attention against measures made on the image.")
    peaks, inner, agree = found["frii_peaks"], found["fri_inner_half"], found["network_and_ratio"]
    page.text(
        f"FRII: distance of attention peaks against half the peak separation, Spearman {number(peaks['rho'], 2)}, "
        f"p {p_text(peaks['p_value'])} ({peaks['sources']} sources; peaks of noise on the same pixels: "
        f"{number(found['frii_peaks_of_noise']['rho'], 2)}). FRI: {number(inner['attention'], 2)} of attention on the source lies "
        f"in its inner half, {number(inner['image'], 2)} of the brightness and {number(inner['area'], 2)} of the area (attention over "
        f"area: p {p_text(inner['attention_over_area']['p_value'])}). Peak separation over extent classifies "
        f"{number(found['ratio_accuracy'], 2)} rightly, the network {number(found['network_accuracy'], 2)}; "
        f"they agree on {number(agree['share'], 2)} (kappa {number(agree['kappa'], 2)}, Fisher p {p_text(agree['p_value'])})."
    )


def _uncertainty(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    arrays, found = folder.arrays("uncertainty"), answer["uncertainty"]
    methods = {}
    for name in (key[2:] for key in arrays if key.startswith("p ")):
        coverage, selective = selective_accuracy(arrays["label"], arrays[f"p {name}"])
        methods[name] = {key: arrays[f"{key} {name}"] for key in ("sources", "probability", "accuracy")}
        methods[name] |= {"coverage": coverage, "selective": selective, "entropy": entropy(arrays[f"p {name}"])}
    columns = ["source_id", "label", "uncertain", *(f"p_frii_{name.replace(' ', '_')}" for name in methods)]
    rows = [
        [str(source), int(arrays["label"][k]), int(arrays["uncertain"][k]), *(float(arrays[f"p {name}"][k]) for name in methods)]
        for k, source in enumerate(arrays["source_id"])
    ]
    folder.write_table("uncertainty", columns, rows)
    page.heading("Uncertainty")
    picture = uncertainty_figure(arrays["label"], arrays["uncertain"], methods, found["conformal"])
    page.picture(
        save(picture, folder.figure("uncertainty")),
        f"{found['sources']} sources; conformal sets calibrated on {found['calibration_sources']} validation sources.",
    )
    page.table(METHOD_COLUMNS, method_rows(found))


def _gallery(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    arrays = folder.arrays("maps")
    models = {case.name: arrays["maps"][:, -1].astype(np.float32)}
    models |= {name: arrays[f"member{k}_map"].astype(np.float32) for k, name in enumerate(case.members)}
    if len(models) < 2 or len(case.sources) < 2:
        return
    where = inscribed(case.sources.images.shape[-1])
    pairs = list(combinations(models.values(), 2))
    agreement = np.array([np.mean([similarity(a[k], b[k], where) for a, b in pairs]) for k in range(len(case.sources))])
    titles = ["hybrid" if label == UNKNOWN else FANAROFF_RILEY.names[label] for label in case.sources.labels]
    rows = [[str(case.sources.source_ids[k]), titles[k], float(agreement[k])] for k in np.argsort(-agreement, kind="stable")]
    folder.write_table("gallery", ("source_id", "class", "agreement"), rows)
    shown = dict(list(models.items())[:MODELS_SHOWN])
    short = {f"{name.partition('-mirabest')[0]} {name.rpartition('-')[2]}": plane for name, plane in shown.items()}
    page.heading("Best and worst")
    picture = save(gallery(case.sources.images, short, agreement, titles), folder.figure("gallery"))
    page.picture(picture, "Sources on whose maps the models agree best and worst (mean rank correlation beside each); white: lit pixels.")
