"""Do maps mark what matters? Deletion and insertion, islands, truth, randomised networks; always against controls."""

from collections.abc import Callable
from typing import Any

import numpy as np

from equiradio.datasets.simulated_shapes import Part as Structure
from equiradio.evaluation.calibration import most_probable
from equiradio.explain.case import Case
from equiradio.explain.controls import randomised
from equiradio.explain.equivariance import inscribed
from equiradio.explain.faithfulness import Lift, curves, departure, paired_lift, similarity, sky_values
from equiradio.explain.folder import Folder
from equiradio.explain.islands import energy_inside, points_at, precision_of, rank_of, source_islands
from equiradio.explain.kinds import CHEAP, COSTLY, noise
from equiradio.explain.part import Arrays, Measured
from equiradio.report.explanation_figures import randomisation_figure
from equiradio.report.explanation_measures import faithfulness_figure, lifts_figure
from equiradio.report.explanation_text import KINDS as NAMES
from equiradio.report.explanation_text import LIFT_COLUMNS, MEASURES, lift_rows, number
from equiradio.report.figures import save
from equiradio.report.page import Page

PLACE, NEEDS = 40, ("maps",)
KINDS = tuple(NAMES)  # what is made of attention, and the controls
CONTROLS = KINDS[KINDS.index("image") :]
LOWER_IS_BETTER = ("deletion",)


def planes_of(case: Case, maps: Arrays) -> dict[str, np.ndarray]:
    """One map of each kind for every source of the sample (nan where a kind was made for a part of it)."""
    images = case.sources.images.astype(np.float32)
    attention = maps["maps"][:, -1].astype(np.float32)
    planes = {
        "attention": attention,
        "departure": departure(attention, images > 0),
        "image": images,
        "gaussian": np.broadcast_to(maps["gaussian"], images.shape),
        "noise": noise(images, 0),
        "untrained": maps["untrained"].astype(np.float32),
    }
    planes |= {kind: maps[kind] for kind in CHEAP if kind not in planes}
    for kind in COSTLY:
        planes[kind] = np.full(images.shape, np.nan, np.float32)
        planes[kind][maps["deep"]] = maps[kind]
    return {kind: planes[kind] for kind in KINDS}


def measure(case: Case, folder: Folder) -> Measured:
    """Every measure of every kind of map: (kinds, sources) each, and lifts of attention over the controls."""
    maps = folder.arrays("maps")
    planes = planes_of(case, maps)
    islands = np.stack([source_islands(image) for image in case.sources.images])
    deletion, insertion = _curves(case, planes, maps, islands)
    place = lambda values: _of_sample(values.mean(-1), case.curved, len(case.sources))
    measured: Arrays = {"deletion": place(deletion), "insertion": place(insertion)}
    measured |= {"pointing": _each(points_at, planes, islands), "energy": _each(energy_inside, planes, islands)}
    if case.truth is not None:
        measured |= _against_truth(case.truth, case.sources.images > 0, planes)
    cascade, stages = _cascade(case)
    lifts = {name: _lifts(name, values) for name, values in measured.items()}
    summary = {
        "means": {name: dict(zip(KINDS, _means(values), strict=True)) for name, values in measured.items()},
        "lifts": lifts,
        "departure_lifts": {name: _lifts(name, values, "departure") for name, values in measured.items()},
        "island_area": islands.mean(),
        "background_lit": np.mean([(image[~mask] > 0).mean() for image, mask in zip(case.sources.images, islands, strict=True)]),
        "randomisation": dict(zip(stages, cascade.mean(1), strict=True)),
        "wins": {name: winners(controls) for name, controls in lifts.items()},
    }
    arrays = {"deletion_curves": deletion, "insertion_curves": insertion, "cascade": cascade, "stages": np.array(stages)}
    return summary, arrays | {"islands": islands} | {f"measure_{name}": values for name, values in measured.items()}


def winners(lifts: dict[str, Lift]) -> list[str]:
    """Controls that do better than attention by more than chance: the interval of the lift lies below 0."""
    return [kind for kind, lift in lifts.items() if lift["high"] is not None and lift["high"] < 0]


def _means(values: np.ndarray) -> list[float | None]:
    return [float(np.nanmean(row)) if np.isfinite(row).any() else None for row in values]


def _lifts(name: str, values: np.ndarray, kind: str = "attention") -> dict[str, Lift]:
    hand = -1 if name in LOWER_IS_BETTER else 1
    return {control: paired_lift(hand * values[KINDS.index(kind)], hand * values[KINDS.index(control)]) for control in CONTROLS}


def _curves(case: Case, planes: dict[str, np.ndarray], maps: Arrays, islands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deletion and insertion (kinds, `Case.curved` sources, fractions): probability of the class that the whole image is given."""
    deletions, insertions = [], []
    rows, given = case.curved, most_probable(maps["p"])
    nothing = (np.full(len(case.effort.fractions), np.nan),) * 2
    for done, row in enumerate(rows, 1):
        image = case.sources.images[row]
        sky = sky_values(image, islands[row], np.random.default_rng([0, int(row)]))
        probability = lambda images, place=given[row]: case.look(case.member, images)[1][:, place]
        ask = lambda plane, image=image, sky=sky, row=int(row), p=probability: curves(p, image, plane, sky, row, case.effort.fractions)
        pairs = [ask(planes[kind][row]) if np.isfinite(planes[kind][row]).all() else nothing for kind in KINDS]
        deletions.append([deletion for deletion, _ in pairs])
        insertions.append([insertion for _, insertion in pairs])
        case.progress("deletion and insertion", done, len(rows))
    return np.stack(deletions, 1), np.stack(insertions, 1)


def _of_sample(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Values (kinds, rows) in their places among all sources (kinds, count), nan elsewhere."""
    whole = np.full((len(values), count), np.nan)
    whole[:, rows] = values
    return whole


def _against_truth(truth: np.ndarray, lit: np.ndarray, planes: dict[str, np.ndarray]) -> Arrays:
    """Average precision on the source's structures, and the rank of hot spots and core among lit pixels: (kinds, sources) each."""

    def ranks(masks: np.ndarray) -> np.ndarray:
        rank = lambda plane, mask, near: rank_of(plane, mask, near) if np.isfinite(plane).all() else np.nan
        return np.array([[rank(*each) for each in zip(planes[kind], masks, lit, strict=True)] for kind in KINDS])

    hot, core = (truth & bit > 0 for bit in (Structure.HOT_SPOT, Structure.CORE))
    return {"precision": _each(precision_of, planes, truth > 0), "hot_spot_rank": ranks(hot), "core_rank": ranks(core)}


def _each(measure: Callable[[np.ndarray, np.ndarray], float], planes: dict[str, np.ndarray], masks: np.ndarray) -> np.ndarray:
    """(kinds, sources) of a measure of a map and a mask; nan where there is no map or no mask."""
    pair = lambda plane, mask: measure(plane, mask) if np.isfinite(plane).all() and mask.any() else np.nan
    return np.array([[pair(plane, mask) for plane, mask in zip(planes[kind], masks, strict=True)] for kind in KINDS], dtype=float)


def _cascade(case: Case) -> tuple[np.ndarray, list[str]]:
    """Rank correlation of each source's map with that of the randomised network: (stages, deep sources)."""
    rows, where = case.deep, inscribed(case.sources.images.shape[-1])
    whole = case.look(case.member, case.sources.images[rows])[0][:, -1]
    stages, correlations = [], []
    for name, member in randomised(case.member):
        there = case.look(member, case.sources.images[rows], "randomised networks")[0][:, -1]
        stages.append(name)
        correlations.append([similarity(one, other, where) for one, other in zip(whole, there, strict=True)])
    return np.array(correlations), stages


def headlines(answer: dict[str, Any]) -> list[list[str]]:
    """The mean of each measure, and which control is better or worse."""
    summary = answer["faithfulness"]
    return [
        [MEASURES[name], number(means["attention"]), _verdict(summary["wins"][name], summary["lifts"][name])]
        for name, means in summary["means"].items()
    ]


def _verdict(better: list[str], lifts: dict[str, Lift]) -> str:
    if better:
        return "better: " + ", ".join(NAMES[kind] for kind in better)
    beaten = [NAMES[kind] for kind, lift in lifts.items() if (lift["low"] or 0) > 0]
    return "above " + ", ".join(beaten) if beaten else "no control differs for sure"


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """Curves, lifts over the controls, and the randomisation test."""
    arrays, summary = folder.arrays("faithfulness"), answer["faithfulness"]
    deletion, insertion = arrays["deletion_curves"], arrays["insertion_curves"]
    names = [str(case.sources.source_ids[row]) for row in case.curved]
    rows = [
        [kind, name, *map(float, deletion[k, s]), *map(float, insertion[k, s])]
        for k, kind in enumerate(KINDS)
        for s, name in enumerate(names)
    ]
    columns = ["map", "source_id", *(f"{way}_{100 * share:g}" for way in ("deletion", "insertion") for share in case.effort.fractions)]
    folder.write_table("faithfulness", columns, rows)
    page.heading("Faithfulness, as lift over controls")
    picture = save(faithfulness_figure(case.effort.fractions, deletion, insertion), folder.figure("faithfulness"))
    page.picture(picture, f"Pixels replaced by the image's own sky, {len(names)} sources.")
    dark = f"{100 * (1 - summary['background_lit']):.1f} %"
    page.text(
        f"Sky: pixels drawn from outside the image's islands. Images are clipped, so that {dark} of that sky is exactly zero: a "
        "deleted pixel looks like any empty pixel of the data, and the network is asked about images that could occur. It also means that "
        "deleting what is dark already changes nothing, so that only the order among lit pixels counts."
    )
    folder.write_table("lifts", LIFT_COLUMNS, lift_rows(summary))
    picture = save(lifts_figure(summary["lifts"], summary["departure_lifts"]), folder.figure("lifts"))
    page.picture(picture, "Lift over each control, 95 % bootstrap intervals.")
    page.table(LIFT_COLUMNS, lift_rows(summary))
    better = [NAMES[kind] for kind in KINDS if any(kind in kinds for kinds in summary["wins"].values())]
    some = f"Controls that beat attention on some measure: {', '.join(better)}."
    page.text(some if better else "No control beats attention for sure on any measure.")
    _randomisation(page, folder, arrays, [str(case.sources.source_ids[row]) for row in case.deep])


def _randomisation(page: Page, folder: Folder, arrays: Arrays, names: list[str]) -> None:
    stages = [str(stage) for stage in arrays["stages"]]
    cascade = [[stage, *map(float, values)] for stage, values in zip(stages, arrays["cascade"], strict=True)]
    folder.write_table("randomisation", ["stage", *names], cascade)
    picture = save(randomisation_figure(stages, arrays["cascade"]), folder.figure("randomisation"))
    page.picture(picture, "Randomisation test: does the map change when what was learnt is taken away?")
