"""Maps of the network, of other networks and of the controls: what the other parts measure; and the sources where networks disagree."""

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np

from equiradio.evaluation.calibration import most_probable
from equiradio.explain.case import Case
from equiradio.explain.controls import centred_gaussian, fresh_network, grad_cam, integrated_gradients
from equiradio.explain.equivariance import inscribed
from equiradio.explain.faithfulness import similarity
from equiradio.explain.folder import Folder
from equiradio.explain.part import Arrays, Measured
from equiradio.report.explanation_figures import gallery
from equiradio.report.figures import save
from equiradio.report.page import Page

PLACE, NEEDS = 10, ()
MODELS_SHOWN = 4


def measure(case: Case, folder: Folder) -> Measured:
    """Maps as float16, probabilities ``p`` (count, classes), and rows ``deep`` of the sources with ``gradients``."""
    images = case.sources.images
    planes, p = case.look(case.member, images, "maps")
    arrays = {"maps": planes.astype(np.float16), "p": p, "gaussian": centred_gaussian()}
    untrained = case.member.with_network(fresh_network(case.member))
    arrays["untrained"] = case.look(untrained, images, "maps of an untrained network")[0][:, -1].astype(np.float16)
    for number, (name, member) in enumerate(case.members.items()):
        others, answers = case.look(member, images, f"maps of {name}")
        arrays |= {f"member{number}_map": others[:, -1].astype(np.float16), f"member{number}_p": answers}
    arrays |= _saliency(case, most_probable(p))
    summary = {"sources": len(images), "deep": len(arrays["deep"]), "members": list(case.members), "planes": planes.shape[1]}
    return summary, arrays


def _saliency(case: Case, given: np.ndarray) -> Arrays:
    """What others draw of the same network, for the class given (count,): Grad-CAM, and integrated gradients of some sources."""
    images, rows, steps = case.sources.images, case.deep, case.effort.gradient_steps
    case.progress("Grad-CAM", 0, 1)
    cam = grad_cam(case.member, images, given).astype(np.float32)
    case.count(len(images))
    case.progress("Grad-CAM", 1, 1)
    gradients = []
    for done, row in enumerate(rows, 1):
        gradients.append(integrated_gradients(case.member, images[row : row + 1], given[row : row + 1], steps))
        case.progress("integrated gradients", done, len(rows))
    case.count(steps * len(rows))
    return {"grad_cam": cam, "gradients": np.concatenate(gradients), "deep": rows}


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
