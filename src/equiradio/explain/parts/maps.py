"""Maps of the network, of other networks and of the controls: what the other parts measure; and the sources where networks disagree."""

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np

from equiradio.evaluation.calibration import most_probable
from equiradio.explain.case import Case
from equiradio.explain.controls import FRESH_SEED, centred_gaussian
from equiradio.explain.equivariance import inscribed
from equiradio.explain.faithfulness import similarity
from equiradio.explain.folder import Folder
from equiradio.explain.kinds import CHEAP, COSTLY, cheap_maps, costly_maps, passes_of, untrained_maps
from equiradio.explain.part import Arrays, Measured
from equiradio.report.explanation_figures import gallery
from equiradio.report.figures import save
from equiradio.report.page import Page

PLACE, NEEDS = 10, ()
MODELS_SHOWN = 4


def measure(case: Case, folder: Folder) -> Measured:
    """Maps as float16, probabilities ``p`` (count, classes), every kind of map, and rows ``deep`` that have the costly ones."""
    images = case.sources.images
    planes, p = case.look(case.member, images, "maps")
    arrays = {"maps": planes.astype(np.float16), "p": p, "gaussian": centred_gaussian(side=case.sources.images.shape[-1])}
    arrays["untrained"] = untrained_maps(case.member, images, FRESH_SEED).astype(np.float16)
    case.count(len(images))
    for number, (name, member) in enumerate(case.members.items()):
        others, answers = case.look(member, images, f"maps of {name}")
        arrays |= {f"member{number}_map": others[:, -1].astype(np.float16), f"member{number}_p": answers}
    arrays |= _kinds(case, most_probable(p))
    summary = {"sources": len(images), "deep": len(arrays["deep"]), "members": list(case.members), "planes": planes.shape[1]}
    return summary, arrays


def _kinds(case: Case, given: np.ndarray) -> Arrays:
    """What the network gives of every kind, for the class given (count,): the cheap ones of all sources, the costly ones of some."""
    images, rows, effort = case.sources.images, case.deep, case.effort
    case.progress("maps of every kind", 0, len(rows) + 1)
    cheap = cheap_maps(case.member, images, given)
    case.count(passes_of(CHEAP, images, effort))
    costly: dict[str, list[np.ndarray]] = {kind: [] for kind in COSTLY}
    for done, row in enumerate(rows, 1):
        case.progress("maps of every kind", done, len(rows) + 1)
        for kind, plane in costly_maps(case.member, images[row : row + 1], given[row : row + 1], effort).items():
            costly[kind].append(plane)
    case.count(passes_of(COSTLY, images[rows], effort))
    case.progress("maps of every kind", len(rows) + 1, len(rows) + 1)
    del cheap["attention"], cheap["departure"]  # made of ``maps``
    return cheap | {kind: np.concatenate(planes) for kind, planes in costly.items()} | {"deep": rows}


def sections(page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
    """The sources on whose maps the networks agree best and worst, where there are several networks."""
    if not case.members or len(case.sources) < 2:
        return
    arrays, sources = folder.arrays("maps"), case.sources
    maps = [arrays["maps"][:, -1], *(arrays[f"member{number}_map"] for number in range(len(case.members)))]
    agreement = agreement_of([planes.astype(np.float32) for planes in maps])
    titles = [case.labels.name_of(label) for label in sources.labels]
    rows = [[str(sources.source_ids[k]), titles[k], float(agreement[k])] for k in np.argsort(-agreement, kind="stable")]
    folder.write_table("gallery", ("source_id", "class", "agreement"), rows)
    shown = dict(list(zip(titles_of(case), maps, strict=True))[:MODELS_SHOWN])
    page.heading("Best and worst")
    picture = gallery(sources.images, {name: planes.astype(np.float32) for name, planes in shown.items()}, agreement, titles)
    page.picture(
        save(picture, folder.figure("gallery")),
        "Sources on whose maps the models agree best and worst (mean rank correlation beside each); white: lit pixels.",
    )


def agreement_of(maps: list[np.ndarray]) -> np.ndarray:
    """Mean rank correlation between the networks' maps (count, side, side) of each source, (count,)."""
    where, pairs = inscribed(maps[0].shape[-1]), list(combinations(maps, 2))
    return np.array([np.mean([similarity(one[k], other[k], where) for one, other in pairs]) for k in range(len(maps[0]))])


def titles_of(case: Case) -> list[str]:
    """Model and seed of each network, the explained one first; its name where two have the same."""
    networks = [(case.name, case.member), *case.members.items()]
    titles = [f"{member.card.model} seed {member.card.seed}" for _, member in networks]
    often = Counter(titles)
    return [title if often[title] == 1 else name for title, (name, _) in zip(titles, networks, strict=True)]
