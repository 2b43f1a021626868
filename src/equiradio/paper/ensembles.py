"""What single networks of a model score, and what the ensemble of its seeds does."""

import numpy as np

from equiradio.evaluation.bootstrap import auc
from equiradio.evaluation.calibration import debiased_square, ece, nll
from equiradio.evaluation.compare import right
from equiradio.paper.contents import Answers
from equiradio.paper.results import Result


def single_networks(runs: list[Result]) -> Answers | None:
    """Means over seeds; None without a run."""
    return _scores(runs, np.stack([result.per_source for result in runs])) if runs else None


def ensemble(runs: list[Result]) -> Answers | None:
    """Scores of the mean probability over seeds; None where there are not two."""
    return _scores(runs, np.mean([result.per_source for result in runs], axis=0)[None]) if len(runs) > 1 else None


def _scores(runs: list[Result], p: np.ndarray) -> Answers:
    """Means over the rows of ``p`` (answers, sources); of the debiased squares first the mean, then the root, or 0."""
    labels, sure = runs[0].predictions.labels, runs[0].predictions.confidence == "confident"
    whole = np.ones((1, len(labels)))
    return {
        "accuracy": float(right(labels, p).mean()),
        "confident": float(right(labels[sure], p[:, sure]).mean()) if sure.any() else None,
        "auc": float(np.mean([auc(labels, row[:, None], whole)[0] for row in p])),
        "nll": float(np.mean([nll(labels, row) for row in p])),
        "ece": float(np.mean([ece(labels, row) for row in p])),
        "calibration_error": max(0.0, float(np.mean([debiased_square(labels, row) for row in p]))) ** 0.5,
    }
