"""Test-time augmentation: a source looked at in many poses, all of them in one batch, and the mean of the answers."""

from typing import NamedTuple

import numpy as np

from equiradio.data.augment import Poses
from equiradio.errors import SettingRefusal
from equiradio.inference.classifier import Classifier, chunks

BATCH = 64  # images at a time, however many poses each has


class PoseMean(NamedTuple):
    """Over the poses of each source: ``probabilities`` and their standard ``deviation``, float64 (count, 2), FRI and FRII."""

    probabilities: np.ndarray
    deviation: np.ndarray


def mean_over_poses(classifier: Classifier, images: np.ndarray, rotations: int = 8, mirrors: bool = False) -> PoseMean:
    """Classify raw images in evenly spaced rotations, and mirrored too if asked.

    Parameters
    ----------
    images : uint8 (count, 150, 150), raw MiraBest pixels.
    rotations : angles 0, 360/rotations, ... degrees. Multiples of 90 degrees are exact turns of the pixels, others interpolate.
    mirrors : every angle also after a mirror of the columns.

    Raises
    ------
    SettingRefusal : fewer than one rotation.
    """
    if rotations < 1:
        raise SettingRefusal("rotations", f"{rotations}", "1 or more", "8 is usual.")
    angles = np.arange(rotations) * 360 / rotations
    poses = Poses(np.tile(angles, 1 + mirrors), np.repeat([False, True][: 1 + mirrors], rotations), np.ones(rotations * (1 + mirrors)))
    count = len(poses.scale)
    rows = np.repeat(np.arange(len(images)), count)
    logits = np.empty((len(rows), 2))
    for start, stop in chunks(len(rows), BATCH):
        part = np.arange(start, stop) % count
        posed = Poses(poses.rotation_deg[part], poses.mirrored[part], poses.scale[part])
        logits[start:stop] = classifier.look(images[rows[start:stop]], posed).logits.double().cpu().numpy()
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = (shifted / shifted.sum(1, keepdims=True)).reshape(len(images), count, 2)
    return PoseMean(probabilities.mean(1), probabilities.std(1))
