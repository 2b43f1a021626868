"""Labels in question: those of sources about which networks that did not learn from them are sure of another class."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from equiradio.evaluation.calibration import most_probable, unmasked

ROUNDING = 1e-9  # a mean of equal probabilities may come out above them


class Judged(NamedTuple):
    """What networks say of sources that they did not learn from.

    Attributes
    ----------
    p : float64 (count, classes), mean probabilities, every model weighing the same; not a number where no network judged a source.
    networks : int (count,), how many networks judged each.
    against : float64 (count,), share of them whose most probable class is another than the label, every model weighing the same.
    other : int (count,), the class that they are sure of in place of the label; -1 where there is none.
    """

    p: np.ndarray
    networks: np.ndarray
    against: np.ndarray
    other: np.ndarray

    @property
    def in_question(self) -> np.ndarray:
        """Is a label in question? bool (count,)."""
        return self.other >= 0


def judged(labels: np.ndarray, answers: Mapping[str, np.ndarray]) -> Judged:
    """Which labels are in question, by the rule of confident learning.

    A class is one of which the networks are sure for a source where its probability is no less than the mean probability of that class
    among sources labelled so: a model that is sure of little need not be sure, and a rare class is measured by its own. In question is a
    label where the most probable of the classes that they are sure of is another. Source: Northcutt, Jiang & Chuang 2021, "Confident
    Learning: Estimating Uncertainty in Dataset Labels", section 3.1.

    Parameters
    ----------
    labels : int (count,), place of the class; -1 for a source of none, which is never in question.
    answers : of each model float64 (networks, count, classes), a network's probabilities; not a number for sources that it learned from.
    """
    unmasked("labels in question", labels=labels, **answers)
    theirs = [_mean(each) for each in answers.values()]
    p = _mean(np.stack(theirs))
    there = np.isfinite(p).all(1) & (labels >= 0)
    wrong = [np.where(np.isfinite(each).all(2), most_probable(each) != labels, np.nan) for each in answers.values()]
    against = _mean(np.stack([_mean(each[..., None]) for each in wrong]))[:, 0]
    usual = np.array([_mean(p[there & (labels == place), place, None])[0] for place in range(p.shape[1])])
    sure = there[:, None] & (p >= usual - ROUNDING)
    first = np.where(sure, p, -1).argmax(1)
    other = np.where(sure.any(1) & (first != labels), first, -1)
    networks = sum(np.isfinite(each).all(2).sum(0) for each in answers.values())
    return Judged(p, np.asarray(networks), np.where(labels >= 0, against, np.nan), other)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis of what is a number; not a number where nothing is."""
    there = np.isfinite(values)
    counts = there.sum(0)
    return np.where(counts > 0, np.where(there, values, 0).sum(0) / np.maximum(counts, 1), np.nan)
