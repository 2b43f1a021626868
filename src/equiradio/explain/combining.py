"""One map from the maps of several gates: their mean as in the paper, their product, or a mean weighted by what each adds to the answer."""

from collections.abc import Callable, Sequence

import numpy as np

from equiradio.explain.faithfulness import departure
from equiradio.inference.evidence import Evidence
from equiradio.inference.gate_maps import gate_maps

Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mean(gates: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Plain mean of gate maps (count, gates, side, side): (count, side, side). Source: Bowles et al. 2021, figure 2."""
    plain: np.ndarray = gates.mean(1)
    return plain


def product(gates: np.ndarray, shares: np.ndarray | None = None) -> np.ndarray:
    """Geometric mean: high only where every gate attends; 0 where one attends to nothing."""
    joint: np.ndarray = np.maximum(gates, 0).prod(1) ** (1 / gates.shape[1])
    return joint


def weighted(gates: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mean weighted by each gate's share of the answer (count, gates), see `answer_shares`."""
    sums: np.ndarray = (gates * shares[:, :, None, None]).sum(1)
    return sums


COMBINATIONS: dict[str, Combine] = {"mean": mean, "product": product, "weighted by the answer": weighted}


def departures(gates: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """Gate by gate how far a map (count, gates, side, side) is from its level on dark pixels, so that no gate's sign counts."""
    return np.stack([departure(gates[:, gate], lit) for gate in range(gates.shape[1])], 1)


def combined(gates: np.ndarray, lit: np.ndarray) -> np.ndarray:
    """The combination that did best on validation (docs/notebook/explanations.md): the product of the gates' departures.

    Parameters
    ----------
    gates : (count, gates, side, side). lit : bool (count, side, side), pixels that are not dark.
    """
    return product(departures(gates, lit))


def answer_shares(parts: Sequence[Evidence], lit: np.ndarray) -> np.ndarray:
    """How much of an answer each gate makes, (count, gates), adding up to 1.

    A gate's evidence of one class, pixel by pixel, by how far it is from its median on dark pixels: what an empty sky adds is the same for
    every source and decides nothing.

    Parameters
    ----------
    parts : one for each gate, for one class; see `Evidence.toward`.
    lit : bool (count, side, side), pixels that are not dark.
    """
    planes = gate_maps([part.attention * part.reading for part in parts], lit.shape[-1]).numpy()
    pixels = np.array([part.reading.shape[-1] ** 2 for part in parts], float)  # a sum over a gate's own pixels, not over the image's
    adds = departures(planes, lit).mean((-2, -1)) * pixels
    total = adds.sum(1, keepdims=True)
    return np.where(total > 0, adds / np.where(total > 0, total, 1), 1 / len(parts))
