"""Does a map depend on what was learnt, turn with the sky, and come out alike from another seed? Likenesses of maps, kind by kind."""

from collections.abc import Mapping

import numpy as np

from equiradio.explain.case import Case
from equiradio.explain.controls import FRESH_SEED, fresh_network
from equiradio.explain.equivariance import inscribed, turn
from equiradio.explain.faithfulness import similarity
from equiradio.explain.kinds import CHEAP, COSTLY, all_maps, noise, passes_of, untrained_maps
from equiradio.inference.member import Member

GOLDEN_DEG = 137.50776405  # turns by its multiples are spread over the circle, however many there are
Planes = Mapping[str, np.ndarray]


def likeness(one: Planes, other: Planes) -> dict[str, np.ndarray]:
    """Rank correlation of two maps of each source inside the inscribed circle, (count,) by kind; nan where either map is missing."""
    where = inscribed(next(iter(one.values())).shape[-1])
    alike = lambda a, b: similarity(a, b, where) if np.isfinite(a).all() and np.isfinite(b).all() else np.nan
    return {
        kind: np.array([alike(a, b) for a, b in zip(planes, other[kind], strict=True)]) for kind, planes in one.items() if kind in other
    }


def asked(case: Case, member: Member, images: np.ndarray, given: np.ndarray, deep: np.ndarray, what: str) -> dict[str, np.ndarray]:
    """Every kind of map of a network, source by source for the sake of progress, and counted."""
    parts = []
    for row in range(len(images)):
        here = np.zeros(int(row in deep), int)
        parts.append(all_maps(member, images[row : row + 1], given[row : row + 1], here, case.effort))
        case.progress(what, row + 1, len(images))
    case.count(passes_of(CHEAP, images, case.effort) + passes_of(COSTLY, images[deep], case.effort))
    return {kind: np.concatenate([part[kind] for part in parts]) for kind in parts[0]}


def randomised_likeness(case: Case, planes: Planes, given: np.ndarray, deep: np.ndarray) -> dict[str, np.ndarray]:
    """How like each map is to that of the same network with fresh weights, without its sign, 0..1: lower is better.

    What needs no network does not change: 1. Source: Adebayo et al. 2018, with all weights fresh.
    """
    fresh = case.member.with_network(fresh_network(case.member))
    other = asked(case, fresh, case.sources.images, given, deep, "maps of fresh weights")
    return {kind: abs(values) for kind, values in likeness(planes, other | _fresh_controls(case, planes)).items()}


def seeds_likeness(case: Case, planes: Planes, given: np.ndarray, deep: np.ndarray) -> dict[str, np.ndarray]:
    """How like each map is to those of networks trained from other seeds, mean over them; costly kinds by the first of them alone.

    No kind where there is no other network.
    """
    each = []
    for number, (name, member) in enumerate(case.ensemble.items()):
        other = asked(case, member, case.sources.images, given, deep if number == 0 else deep[:0], f"every kind of map of {name}")
        each.append(likeness(planes, other | _fresh_controls(case, planes)))
    if not each:
        return {}
    with np.errstate(invalid="ignore"):
        return {kind: _mean(np.stack([values[kind] for values in each])) for kind in each[0]}


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the first axis, of what is there; nan where nothing is."""
    there = np.isfinite(values)
    return np.where(there.any(0), np.where(there, values, 0).sum(0) / np.maximum(there.sum(0), 1), np.nan)


def _fresh_controls(case: Case, planes: Planes) -> dict[str, np.ndarray]:
    """Controls as a second network has them: image and Gaussian are the same, noise and an untrained network's map are drawn anew."""
    images = case.sources.images.astype(np.float32)
    untrained = untrained_maps(case.member, case.sources.images, FRESH_SEED + 1)
    return {"image": planes["image"], "gaussian": planes["gaussian"], "noise": noise(images, 1), "untrained": untrained}


def turned_likeness(case: Case, planes: Planes, given: np.ndarray, deep: np.ndarray) -> dict[str, np.ndarray]:
    """How like the map of a turned source, turned back, is to that of the source; each source by another angle, of all the circle.

    Images are cut to the inscribed circle first, as for the error against angle.
    """
    images = case.sources.images.astype(np.float32)
    cut = np.where(inscribed(images.shape[-1], 0), images, 0)
    changed = np.flatnonzero((cut != images).any((1, 2)))
    plain = {kind: np.array(values, np.float32) for kind, values in planes.items()}
    if len(changed):
        again = asked(case, case.member, cut[changed], given[changed], _places(deep, changed), "maps of sources cut to the circle")
        again |= {"image": cut[changed], "untrained": untrained_maps(case.member, cut[changed], FRESH_SEED)}
        for kind, values in again.items():
            plain[kind][changed] = values
    angles = GOLDEN_DEG * (np.arange(len(images)) + 0.5) % 360
    sky = np.concatenate([turn(image[None], angle) for image, angle in zip(cut, angles, strict=True)])
    there = asked(case, case.member, sky, given, deep, "maps of turned sources")
    there |= {"image": sky, "gaussian": plain["gaussian"], "noise": noise(images, 1)}
    there["untrained"] = untrained_maps(case.member, sky, FRESH_SEED)
    back = lambda maps: np.concatenate([turn(plane[None], -angle) for plane, angle in zip(maps, angles, strict=True)])
    return likeness(plain, {kind: back(maps) for kind, maps in there.items()})


def _places(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where those of ``rows`` that are ``among`` others stand among them."""
    return np.flatnonzero(np.isin(among, rows))
