"""From how many beams across on can classes be told apart? Accuracy against size over beam."""

from itertools import pairwise

import numpy as np

from equiradio.artefacts.resolution import BeamsRow

EDGES = (0.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, np.inf)  # beams across, of the rows of a table
WELL = 10.0  # beams across from which size is no trouble
ROSE = 0.5  # how far balanced accuracy has risen, from guessing to that of all, where sources count as resolved
AS_GOOD = 0.9  # share of the balanced accuracy of well resolved sources that a larger beam must leave


def balanced(labels: np.ndarray, right: np.ndarray) -> float | None:
    """Mean over classes of the share that is right; None with fewer than two classes."""
    shares = [float(right[labels == place].mean()) for place in np.unique(labels)]
    return float(np.mean(shares)) if len(shares) > 1 else None


def by_beams(labels: np.ndarray, right: np.ndarray, beams: np.ndarray) -> list[BeamsRow]:
    """A row for each stretch of `EDGES` that has views."""
    rows: list[BeamsRow] = []
    for low, high in pairwise(EDGES):
        inside = (beams >= low) & (beams < high)
        if inside.any():
            share, end = float(right[inside].mean()), None if np.isinf(high) else high
            both = balanced(labels[inside], right[inside])
            rows.append({"low": low, "high": end, "views": int(inside.sum()), "accuracy": share, "balanced_accuracy": both})
    return rows


def rising(labels: np.ndarray, right: np.ndarray, beams: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Balanced accuracy as a curve that never falls with beams across: of each class by isotonic regression, mean over classes.

    Parameters
    ----------
    labels, right, beams : (views,), finite.

    Returns
    -------
    Beams across that occur, ascending, and the curve there. Source: Zadrozny & Elkan 2002 use it so for probabilities.
    """
    from sklearn.isotonic import IsotonicRegression

    places = np.unique(beams)
    of_class = lambda rows: IsotonicRegression(out_of_bounds="clip").fit(beams[rows], right[rows].astype(float)).predict(places)
    return places, np.mean([of_class(labels == place) for place in np.unique(labels)], axis=0)


def resolved_from(labels: np.ndarray, right: np.ndarray, beams: np.ndarray, classes: int) -> float | None:
    """The fewest beams across from which on classes are told apart; None where they nowhere are, or a class is missing.

    There balanced accuracy has risen half way from guessing to that of all views. Views as `rising` takes them; those whose beams
    across are not a number are left out.
    """
    there = np.isfinite(beams)
    labels, right, beams = labels[there], right[there], beams[there]
    if len(np.unique(labels)) < classes:
        return None
    all_of_it, guess = balanced(labels, right) or 0.0, 1 / classes
    if not all_of_it > guess:
        return None
    places, curve = rising(labels, right, beams)
    return float(places[curve >= guess + ROSE * (all_of_it - guess)][0])


def as_good_through(labels: np.ndarray, right: np.ndarray, beams: np.ndarray, own: float) -> bool:
    """Are well resolved sources told apart through a larger beam nearly as well as through a network's own, ``own`` (balanced accuracy)?

    If not, the beam itself is what the network does not know, and nothing can be learned there about size.
    """
    well = beams >= WELL
    there = balanced(labels[well], right[well]) if well.any() else None
    return there is not None and there >= AS_GOOD * own
