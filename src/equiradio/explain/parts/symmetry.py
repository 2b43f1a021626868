"""Do maps and answers turn with the sky? Error against angle, exact quarter turns and mirrors, and the residue by harmonics."""

from typing import Any, NamedTuple

import numpy as np

from equiradio.evaluation import bootstrap
from equiradio.evaluation.calibration import most_probable
from equiradio.explain.case import Case, evenly
from equiradio.explain.equivariance import errors_against_angle, exact_turns
from equiradio.explain.folder import Folder
from equiradio.explain.part import Arrays, Measured, Summary
from equiradio.explain.residual import WIDTHS, angular_power, order_excess, peak_test, round_sources, shares
from equiradio.report.explanation_figures import residue_figure, symmetry_figure
from equiradio.report.explanation_text import number, p_text
from equiradio.report.figures import save
from equiradio.report.page import Page

PLACE, NEEDS = 20, ()
PIXEL_GRID = 4  # the order of the pixels' own symmetry, tested where a network has none of its own
EXACT = 1e-3  # by which maps may differ under quarter turns in float32


def measure(case: Case, folder: Folder) -> Measured:
    """E(theta), shift of the probabilities, exact quarter turns, mirrors, and the angular spectrum of the residue."""
    look = lambda images: case.look(case.member, images)
    steps = []
    for place, step in enumerate(errors_against_angle(look, case.sources.images, case.effort.angles), 1):
        steps.append((step.errors, step.floor, step.shifts, step.p, angular_power(step.residue[:, -1])))
        case.progress("angles", place, len(case.effort.angles))
    errors, floor, shifts, p_turned, power = map(np.stack, zip(*steps, strict=True))
    exact = exact_turns(look, case.sources.images[evenly(case.sources.labels, case.effort.turned)])
    centred = angular_power(look(round_sources(case.sources.images.shape[-1]))[0][:, -1])
    order, between = max(rotations_of(case), PIXEL_GRID), np.array([angle % 90 > 0 for angle in case.effort.angles])
    excess = order_excess(power[between].mean(0), order)
    mean, per_source, given = errors[between].mean((0, 1)), errors[between, :, -1].mean(0), most_probable(p_turned)
    summary = {
        "angles_deg": list(case.effort.angles),
        "error_by_plane": mean,
        "error": mean[-1],
        "error_interval95": bootstrap.of_mean(per_source),
        "floor": floor[between, :, -1].mean(),
        "mean_shift_of_p": shifts[between].mean(),
        "largest_shift_of_p": shifts.max(),
        "class_changes": (given[between] != given[0]).mean(),
        "quarter_turns": _largest(exact["quarter"], exact["quarter_p"]),
        "mirrors": _largest(exact["mirror"], exact["mirror_p"]),
        "residue": {"tested_order": order, "excess": peak_test(excess)},
    }
    arrays = {"errors": errors, "floor": floor, "shifts": shifts, "p_turned": p_turned, "power": power, "round_power": centred}
    arrays |= {"excess": excess, "angles": np.array(case.effort.angles, float), "source_id": case.sources.source_ids.astype(str)}
    return summary, arrays


def _largest(maps: np.ndarray, p: np.ndarray) -> Summary:
    return {"largest": maps.max(), "largest_p": p.max(), "exact": maps.max() <= EXACT}


def rotations_of(case: Case) -> int:
    """Rotations in the network's group; 1 for free filters."""
    group = case.member.group
    return group.rotations if group else 1


def headlines(answer: dict[str, Any]) -> list[list[str]]:
    """Error, shift, exact turns and the residue's peak."""
    symmetry = answer["symmetry"]
    edges, turns, mirrors, residue = (symmetry[key] for key in ("error_interval95", "quarter_turns", "mirrors", "residue"))
    exactness = lambda measured: [f"{measured['largest']:.1e}", "exact" if measured["exact"] else "not exact"]
    return [
        [
            "map error between quarter turns",
            f"{symmetry['error']:.3f}" + (f" [{edges[0]:.3f}, {edges[1]:.3f}]" if edges else ""),
            f"interpolation alone {symmetry['floor']:.3f}",
        ],
        ["shift of probability", number(symmetry["mean_shift_of_p"]), f"largest {symmetry['largest_shift_of_p']:.3f}"],
        ["quarter turns of maps", *exactness(turns)],
        ["mirrors of maps", *exactness(mirrors)],
        [
            f"peak of the residue at m = {residue['tested_order']}, ...",
            number(residue["excess"]["median"], 2),
            f"p {p_text(residue['excess']['p_value'])}",
        ],
    ]


class Pair(NamedTuple):
    """Two explanations of the same sources at the angles (degrees) that both have: the arrays of the part in each."""

    name: str
    angles: np.ndarray
    ours: Arrays
    theirs: Arrays

    def between(self, array: str) -> tuple[np.ndarray, np.ndarray]:
        """An array of both, mean over the angles between quarter turns."""
        rows = self.angles % 90 > 0
        return self.ours[array][rows].mean(0), self.theirs[array][rows].mean(0)


def comparable(ours: Arrays, other: Folder | None) -> Pair | None:
    """None where there is nothing to compare with: no other explanation, other sources, or no angle between quarter turns in both."""
    if other is None:
        return None
    theirs = other.arrays("symmetry")
    angles = np.intersect1d(ours["angles"], theirs["angles"])
    if not np.array_equal(theirs["source_id"], ours["source_id"]) or not np.any(angles % 90 > 0):
        return None
    both = []
    for arrays in (ours, theirs):
        rows = np.searchsorted(arrays["angles"], angles)
        both.append(arrays | {name: arrays[name][rows] for name in ("errors", "floor", "shifts", "power")})
    return Pair(other.path.name, angles, *both)


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Error against angle and the residue, beside those of another network where there is one; the comparison goes into the answer."""
    arrays = folder.arrays("symmetry")
    pair = comparable(arrays, other)
    _write_errors(folder, arrays)
    page.heading("Symmetry against angle")
    against = (pair.name, pair.angles, pair.theirs["errors"], pair.theirs["shifts"]) if pair else None
    picture = symmetry_figure(arrays["angles"], arrays["errors"], arrays["floor"], arrays["shifts"], against)
    caption = "Error of the maps inside the inscribed circle; bands: 95 % intervals of the mean."
    page.picture(save(picture, folder.figure("symmetry")), caption)
    if pair:
        mine, their = (errors[:, -1] for errors in pair.between("errors"))
        test = peak_test(their - mine)
        ratio = mine.mean() / their.mean()
        answer["against"] = {"name": pair.name, "error": mine.mean(), "their_error": their.mean(), "ratio": ratio, **test}
        page.text(
            f"Against {pair.name}: mean error {mine.mean():.3f} against {their.mean():.3f}, a ratio of {ratio:.2f}; "
            f"smaller here source by source: p {p_text(test['p_value'])} (Wilcoxon, one-sided, {test['sources']} sources)."
        )
    _residue(page, folder, answer, arrays, pair)


def _write_errors(folder: Folder, arrays: Arrays) -> None:
    gates = arrays["errors"].shape[-1] - 1
    planes = [*(f"gate_{gate + 1}" for gate in range(gates)), "combined"]
    columns = ["angle_deg", "source_id", *(f"error_{plane}" for plane in planes), "floor_combined", "shift_of_p"]
    rows = [
        [float(angle), source, *map(float, arrays["errors"][a, s]), float(arrays["floor"][a, s, -1]), float(arrays["shifts"][a, s])]
        for a, angle in enumerate(arrays["angles"])
        for s, source in enumerate(arrays["source_id"])
    ]
    folder.write_table("symmetry", columns, rows)


def _residue(page: Page, folder: Folder, answer: dict[str, Any], arrays: Arrays, pair: Pair | None) -> None:
    order, excess = (answer["symmetry"]["residue"][key] for key in ("tested_order", "excess"))
    power, centred = _spectrum(arrays)
    columns, mean = ["harmonic", "share_mean", *(f"round_{width:g}" for width in WIDTHS)], power.mean(0)
    folder.write_table("residue", columns, [[m + 1, float(mean[m]), *map(float, centred[:, m])] for m in range(len(mean))])
    page.heading("The residue")
    against = (pair.name, *_spectrum(pair.theirs)) if pair else None
    picture = save(residue_figure(power, centred, WIDTHS, order, against), folder.figure("residue"))
    page.picture(picture, f"Angular harmonics around the centre; grey lines: multiples of {order}.")
    page.text(
        f"Harmonics at multiples of {order} stand above their neighbours by a factor of {np.exp(excess['median']):.2f} (median over "
        f"sources; one-sided Wilcoxon p {p_text(excess['p_value'])})."
    )
    if pair:
        test = peak_test(*(order_excess(each, order) for each in pair.between("power")))
        answer["against"]["residue"] = {"tested_order": order, **test}
        page.text(
            f"More so than in {pair.name}: median difference of the logarithm {number(test['median'], 2)}, p {p_text(test['p_value'])}."
        )


def _spectrum(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the residue's power, mean over the angles, by source; power of the maps of round sources over their mean's."""
    power, centred = arrays["power"][1:].mean(0), arrays["round_power"]
    return shares(power), centred[:, 1:] / np.maximum(centred[:, :1], 1e-30)
