"""How far the class-differenced mean map is from symmetric, and whether sources drawn without regard to class would do the same."""

from typing import TypedDict

import numpy as np

PERMUTATIONS, SEED = 5000, 0
GROUPS = {"half-turn": ((2, 1),), "both": ((2, 1), (0, -1), (2, -1))}
"""Elements besides the identity, as (quarter turns, hand); hand -1 mirrors the columns first. ``both`` is the group of the rectangle."""


class Asymmetry(TypedDict):
    """See `asymmetry`."""

    index: float
    index_half_turn: float
    odd_power: float
    p: float
    p_odd_power: float
    null_median: float | None
    permutations: int


def even_part(planes: np.ndarray, over: str = "both") -> np.ndarray:
    """The part (..., side, side) that a half turn, or the half turn and both mirrors, leave as it is."""
    moved = [np.rot90(planes[..., ::hand], turns, (-2, -1)) for turns, hand in GROUPS[over]]
    return (planes + sum(moved)) / (1 + len(moved))


def odd_share(plane: np.ndarray, over: str = "both") -> float:
    """Share 0..1 of a plane's power in its odd part; 0 for an empty plane."""
    power = float((plane**2).sum())
    return float(((plane - even_part(plane, over)) ** 2).sum()) / power if power > 0 else 0.0


def asymmetry(maps: np.ndarray, labels: np.ndarray, *, permutations: int = PERMUTATIONS, seed: int = SEED) -> Asymmetry:
    """Asymmetry of mean map of FRI less mean map of FRII.

    Parameters
    ----------
    maps : float (sources, side, side), mean map of each source over uniform rotations.
    labels : int (sources,), 0 FRI, 1 FRII.

    Returns
    -------
    ``index``: share of the difference's power in the part that a half turn or a mirror would change. ``index_half_turn``: that of the
    half turn alone. ``odd_power``: mean square of the odd part. ``p``: share of random assignments of the same numbers of class labels to
    whole sources (the actual one counted too) whose index is at least as large; ``p_odd_power`` the same for the odd power, which asks
    whether the classes differ in their odd parts at all. ``null_median``: median index of these assignments.
    """
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    odd = {over: (maps - even_part(maps.astype(np.float64), over)).reshape(len(maps), -1) for over in ("both", "half-turn")}
    gram = flat @ flat.T
    grams = {over: part @ part.T for over, part in odd.items()}
    weights = _weights(labels, permutations, seed)
    power = np.einsum("ks,st,kt->k", weights, gram, weights, optimize=True)
    odds = {over: np.maximum(np.einsum("ks,st,kt->k", weights, part, weights, optimize=True), 0) for over, part in grams.items()}
    floor = 1e-12 * max(gram.max(), 1e-300)  # an odd part below rounding is none
    odds = {over: np.where(values > floor, values, 0.0) for over, values in odds.items()}
    shares = {over: values / np.maximum(power, floor) for over, values in odds.items()}
    at_least = lambda values: float((values >= values[0] * (1 - 1e-9)).mean())
    return {
        "index": float(shares["both"][0]),
        "index_half_turn": float(shares["half-turn"][0]),
        "odd_power": float(odds["both"][0] / flat.shape[1]),
        "p": at_least(shares["both"]),
        "p_odd_power": at_least(odds["both"]),
        "null_median": float(np.median(shares["both"][1:])) if permutations else None,
        "permutations": permutations,
    }


def _weights(labels: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """Rows (1 + permutations, sources) that turn maps into FRI mean less FRII mean; the first with the true labels."""
    generator = np.random.default_rng(seed)
    rows = np.stack([labels, *(generator.permutation(labels) for _ in range(permutations))])
    return (rows == 0) / (labels == 0).sum() - (rows == 1) / (labels == 1).sum()
