"""Several seeds of one model: mean, standard deviation over seeds, and the interval over sources of the mean."""

import numpy as np

from equiradio.evaluation import bootstrap
from equiradio.evaluation.bootstrap import map_leaves
from equiradio.evaluation.calibration import unmasked

RESAMPLES, SEED = 2000, 0  # of the bootstrap: the same draws for every model, so that rows can be compared


def over_seeds(labels: np.ndarray, p: np.ndarray, counts: np.ndarray | None = None) -> dict:
    """Scores of several runs of a model on the same sources.

    Parameters
    ----------
    labels : int (sources,), 0 FRI, 1 FRII.
    p : float (runs, sources, passes) of the second of two classes, 0..1; one pass where they are averaged before.
    counts : from `bootstrap.draw`; drawn by `SEED` if left out.

    Returns
    -------
    Every score: mean over runs. ``sd`` of the same shape: standard deviation over runs (n - 1), None for one
    run. ``interval95`` of the same shape: 95 % bootstrap interval over sources of the mean over runs; all runs see the same draws.
    Where no draw changes it, see `bootstrap.interval_of`; of one run, `bootstrap.intervals`.
    """
    unmasked("runs", labels=labels, probabilities=p)
    labels, p = np.asarray(labels), np.asarray(p)
    counts = bootstrap.draw(len(labels), RESAMPLES, SEED) if counts is None else counts
    whole = np.ones((1, len(labels)))
    points = [bootstrap.statistics(labels, run, whole) for run in p]
    return map_leaves(lambda *v: _number(np.mean([value[0] for value in v])), *points) | {
        "sd": map_leaves(lambda *v: _number(np.std([value[0] for value in v], ddof=1)) if len(v) > 1 else None, *points),
        "interval95": bootstrap.intervals(labels, p[0], counts) if len(p) == 1 else _of_mean(labels, p, counts),
    }


def _of_mean(labels: np.ndarray, p: np.ndarray, counts: np.ndarray) -> dict:
    """The interval of the mean over runs of every score."""
    drawn = map_leaves(lambda *v: np.mean(v, axis=0), *(bootstrap.statistics(labels, run, counts) for run in p))
    shares = map_leaves(lambda *v: min(v), *(bootstrap.shares_of(labels, run) for run in p))
    return map_leaves(bootstrap.interval_of, drawn, shares)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
