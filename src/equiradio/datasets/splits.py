"""Splits that keep sources which are close on the sky on one side."""

import csv
from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from equiradio.errors import DataRefusal

LINKING_ARCSEC = 400  # 11 training pairs of MiraBest are closer, none lies between 397 and 434 arcsec; no test source is within 480
VALIDATION = 213  # of MiraBest's 1069 training sources
SEED = 0  # of the split, independent of any training
ARCSEC_PER_RADIAN = np.degrees(1) * 3600


def angular_separation_arcsec(ra_deg: np.ndarray, dec_deg: np.ndarray, other_ra_deg: np.ndarray, other_dec_deg: np.ndarray) -> np.ndarray:
    """Great-circle distance between sky positions in degrees (any shapes that broadcast), in arcsec.

    The haversine formula, which keeps its precision for small separations where the arc cosine loses it.
    """
    ra, dec, other_ra, other_dec = (np.radians(angle) for angle in (ra_deg, dec_deg, other_ra_deg, other_dec_deg))
    haversine = np.sin((dec - other_dec) / 2) ** 2 + np.cos(dec) * np.cos(other_dec) * np.sin((ra - other_ra) / 2) ** 2
    return 2 * np.arcsin(np.sqrt(np.minimum(haversine, 1))) * ARCSEC_PER_RADIAN


def pairs_within(ra_deg: np.ndarray, dec_deg: np.ndarray, arcsec: float) -> np.ndarray:
    """Places (pairs, 2), the smaller first, of all pairs of positions (count,) in degrees that are no further apart."""
    from scipy.spatial import cKDTree

    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    towards = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    pairs: np.ndarray = cKDTree(towards).query_pairs(2 * np.sin(arcsec / ARCSEC_PER_RADIAN / 2), output_type="ndarray")
    return pairs


def friends_of_friends(ra_deg: np.ndarray, dec_deg: np.ndarray, linking_arcsec: float = LINKING_ARCSEC) -> np.ndarray:
    """Group number of every position: chains of neighbours no further apart than the linking length share one.

    Parameters
    ----------
    ra_deg, dec_deg : (count,), degrees.
    linking_arcsec : up to 180 degrees.

    Returns
    -------
    int (count,), numbered from 0.
    """
    return linked(np.arange(len(ra_deg)), pairs_within(ra_deg, dec_deg, linking_arcsec))


def neighbours(ra_deg: np.ndarray, dec_deg: np.ndarray, linking_arcsec: float) -> np.ndarray:
    """As `friends_of_friends`, of which some positions may be not a number: each of these has a group of its own."""
    groups, placed = np.arange(len(ra_deg)), np.isfinite(ra_deg) & np.isfinite(dec_deg)
    groups[placed] = len(ra_deg) + friends_of_friends(ra_deg[placed], dec_deg[placed], linking_arcsec)
    return groups


def linked(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Groups of sources (count,), of which those that hold the two of a pair (pairs, 2) are one; int, numbered from 0."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    groups = np.unique(groups, return_inverse=True)[1]
    one, other = groups[pairs].T
    count = int(groups.max(initial=-1)) + 1
    links = coo_array((np.ones(len(pairs)), (one, other)), shape=(count, count))
    numbers: np.ndarray = connected_components(links, directed=False)[1]
    return numbers[groups]


def grouped_validation(
    labels: np.ndarray, confidence: np.ndarray, groups: np.ndarray, validation: int = VALIDATION, seed: int = SEED
) -> np.ndarray:
    """Choose validation sources: an exact count, stratified by class and confidence, no group on both sides.

    Groups are visited in a random order and taken where they still fit into the share of every stratum they touch. A lone source is
    passed over only when its stratum is full, so the count is exact wherever each stratum has as many lone sources as its share.

    Parameters
    ----------
    labels, confidence, groups : (count,), class, "confident" or "uncertain", group number.
    validation : how many sources to choose.
    seed : of the order in which groups are visited.

    Returns
    -------
    bool (count,), True for validation.

    Raises
    ------
    DataRefusal
        If the groups are too large for the count to be met.
    """
    strata = np.array([f"{label} {sure}" for label, sure in zip(labels, confidence, strict=True)])
    stratum, group = (np.unique(values, return_inverse=True)[1] for values in (strata, groups))
    members = np.zeros((group.max(initial=-1) + 1, stratum.max(initial=-1) + 1), dtype=int)
    np.add.at(members, (group, stratum), 1)
    chosen = fitting_groups(members, _shares(members.sum(axis=0), validation), seed)[group]
    if chosen.sum() != validation:
        found = f"groups of neighbours let only {chosen.sum()} of {len(group)} sources be chosen"
        raise DataRefusal("validation split", found, f"{validation}", "Ask for another count or link over a smaller angle.")
    return chosen


def fitting_groups(members: np.ndarray, room: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
    """Which groups are taken, bool (groups,), of their members (groups, strata) while the strata have room."""
    # raw words of PCG64: NumPy promises this stream never to change, unlike that of permutation()
    order = np.argsort(np.random.PCG64(seed).random_raw(len(members)), kind="stable")
    taken = np.zeros(len(members), dtype=bool)
    for number in order:
        if (members[number] <= room).all():
            taken[number] = True
            room = room - members[number]
    return taken


def _shares(sizes: np.ndarray, total: int) -> np.ndarray:
    """Split ``total`` in proportion to ``sizes`` into whole numbers, each within one of its exact share (largest remainder)."""
    exact = sizes * (total / max(sizes.sum(), 1))
    shares = np.floor(exact).astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: total - shares.sum()]] += 1
    return shares


def draw_split(
    source_ids: np.ndarray, labels: np.ndarray, confidence: np.ndarray, ra_deg: np.ndarray, dec_deg: np.ndarray
) -> dict[str, str]:
    """Draw the list that :func:`frozen_split` reads: source_id -> "train" or "validation"."""
    chosen = grouped_validation(labels, confidence, friends_of_friends(ra_deg, dec_deg))
    return {str(source_id): "validation" if held else "train" for source_id, held in zip(source_ids, chosen, strict=True)}


def frozen_split() -> dict[str, str]:
    """The split that every result of this package uses: source_id -> "train" (856) or "validation" (213).

    Drawn once by ``scripts/freeze_split.py``; the published test sources are not in it.
    """
    table = files("equiradio.datasets").joinpath("frozen", "mirabest_split.csv").read_text(encoding="utf-8")
    return {row["source_id"]: row["split"] for row in csv.DictReader(table.splitlines())}
