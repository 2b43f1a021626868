"""Rows of a catalogue that are components of one source."""

from typing import NamedTuple

import numpy as np

from equiradio.errors import DataRefusal
from equiradio.printable import printable
from equiradio.sky.frames import unit_vectors
from equiradio.survey.catalogue import Sources

WIDEST_DEG = 1.0  # from the middle of a source to a component: what is farther away is another source of that name


class Targets(NamedTuple):
    """Sources to be classified, in the order of the catalogue.

    Attributes
    ----------
    row : int64 (sources,), the first row of each.
    names : str, of each, printable.
    ra_deg, dec_deg : float64, nan where unknown; of a group the middle of its components.
    members : names of the components of each; None where rows are not grouped.
    """

    row: np.ndarray
    names: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    members: list[list[str]] | None


def targets_of(where: object, sources: Sources, group: np.ndarray | None) -> Targets:
    """The sources of a catalogue: its rows, or its groups; a row without a group is a source of its own.

    Parameters
    ----------
    group : word (rows,) that the components of a source share, empty for none.

    Raises
    ------
    DataRefusal : a component lies more than a degree from the middle of its source.
    """
    rows = np.arange(len(sources.names))
    if group is None:
        return Targets(rows, _printed(sources.names), sources.ra_deg, sources.dec_deg, None)
    alone = np.array([not word for word in group])
    keys = np.where(alone, [f"\0{row}" for row in rows], group).astype(str)
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    which, first = place[which], first[order]
    ra, dec = _middles(where, sources, which, len(first), group)
    members: list[list[str]] = [[] for _ in first]
    for row, source in enumerate(which):
        members[source].append(str(sources.names[row]))
    names = _printed(np.where(alone[first], sources.names[first], group[first]))
    return Targets(first, names, ra, dec, members)


def _printed(names: np.ndarray) -> np.ndarray:
    """Names as results have them, by which it is clear which occur twice."""
    return np.array([printable(name) for name in names], object)


def _middles(where: object, sources: Sources, which: np.ndarray, count: int, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of each source's components that have a position, every component weighing the same."""
    usable = np.isfinite(sources.ra_deg + sources.dec_deg)
    sums = np.zeros((count, 3))
    vectors = unit_vectors(sources.ra_deg[usable], sources.dec_deg[usable])
    np.add.at(sums, which[usable], vectors)
    sizes = np.bincount(which[usable], minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        middles = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    apart = np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(vectors - middles[which[usable]], axis=1) / 2, 0, 1)))
    if (far := apart > WIDEST_DEG).any():
        row = np.flatnonzero(usable)[np.argmax(apart)]
        many = len(set(which[usable][far].tolist()))
        found = f"components of '{group[row]}' lie {apart.max():.3g} deg from their middle ({many:,} such sources)"
        do = "Are these numbers that begin anew in each field? Make names that occur once."
        raise DataRefusal(where, found, f"at most {WIDEST_DEG:g} deg", do)
    ra = np.degrees(np.arctan2(middles[:, 1], middles[:, 0])) % 360
    dec = np.degrees(np.arcsin(np.clip(middles[:, 2], -1, 1)))
    single = np.full(count, -1)
    single[which[usable]] = np.flatnonzero(usable)
    alone = sizes == 1  # to the last digit as in the catalogue
    ra[alone], dec[alone] = sources.ra_deg[single[alone]], sources.dec_deg[single[alone]]
    return ra, dec
