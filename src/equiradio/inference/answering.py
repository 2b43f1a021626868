"""Calibrated answers of an ensemble: probability, spread, whether to abstain, and how unlike the known sources an image is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

from equiradio.errors import RunRefusal
from equiradio.inference.classifier import Classifier
from equiradio.inference.ensemble import one_pose
from equiradio.inference.gates import gate_maps

SPREAD = (5.0, 95.0)  # percent, of member x pose: a 90 % interval called model spread
RUN_POSES = 4  # of a run, which has no card that says how many


@dataclass(frozen=True)
class Calibration:
    """Chosen on the validation split, by ``scripts/calibrate.py``.

    Attributes
    ----------
    poses : how many each member is asked in.
    temperature : logits are divided by it.
    threshold : abstain where the top probability is lower; None where it was never chosen.
    centre, precision, reach : mean (members, features) and inverse covariance (members, features, features) of the features of validation
        sources, and the distance beyond which an image is unusual; None likewise.
    """

    poses: int = RUN_POSES
    temperature: float = 1.0
    threshold: float | None = None
    centre: np.ndarray | None = None
    precision: np.ndarray | None = None
    reach: float | None = None

    @classmethod
    def of(cls, classifier: Classifier, folder: Path) -> "Calibration":
        """That of packaged weights in a folder; of a run, none."""
        card = classifier.packaged
        if "temperature" not in card:
            return cls(poses=card.get("poses", RUN_POSES))
        file = folder / card["out_of_distribution"]["file"]
        if not file.is_file():
            raise RunRefusal(file, "no such file", "centre and precision of the features, as the card says", "Install the package again.")
        known = load_file(file)
        reach = card["out_of_distribution"]["reach"]
        return cls(card["poses"], card["temperature"], card["threshold"], known["centre"], known["precision"], reach)


@dataclass(frozen=True)
class Answers:
    """Of every image: p_frii and its interval low..high, uncertain (bool), distance (nan where unknown), unusual (bool), and gates' maps at
    the image's scale, the mean over members of the image as it is, float32 (count, gates, 150, 150); no gates for a LeNet."""

    p_frii: np.ndarray
    low: np.ndarray
    high: np.ndarray
    uncertain: np.ndarray
    distance: np.ndarray
    unusual: np.ndarray
    gates: np.ndarray

    @property
    def attention(self) -> np.ndarray:
        """The gates' mean map (count, 150, 150)."""
        return self.gates.mean(1) if self.gates.shape[1] else np.full((len(self.gates), *self.gates.shape[2:]), np.nan, np.float32)


def answer(classifier: Classifier, calibration: Calibration, images: np.ndarray) -> Answers:
    """Ask every member about raw images uint8 (count, 150, 150), in the calibration's poses."""
    *_, last = answer_in_pieces(classifier, calibration, images)
    assert last is not None
    return last


def answer_in_pieces(classifier: Classifier, calibration: Calibration, images: np.ndarray) -> Iterator[Answers | None]:
    """What `answer` says; yields nothing after each pose of each member, so that others may ask between, and at last the answers."""
    logits, distances, maps = [], [], []
    for number, member in enumerate(classifier.members):
        for pose in range(calibration.poses):
            seen, features, attention = one_pose(member, images, pose)
            logits.append(seen)
            if pose == 0:
                maps.append(_maps(attention, images.shape))
                if calibration.centre is not None and calibration.precision is not None:
                    distances.append(squared_distance(features, calibration.centre[number], calibration.precision[number]))
            yield None
    p = frii(np.array(logits), calibration.temperature)
    mean = p.mean(0)
    low, high = np.percentile(p, SPREAD, axis=0)
    distance = np.sqrt(np.mean(distances, axis=0)) if distances else np.full(len(images), np.nan)
    top = np.maximum(mean, 1 - mean)
    uncertain = top < calibration.threshold if calibration.threshold is not None else (low < 0.5) & (high >= 0.5)
    unusual = distance > calibration.reach if calibration.reach is not None else np.zeros(len(images), bool)
    yield Answers(mean, np.minimum(low, mean), np.maximum(high, mean), uncertain, distance, unusual, np.mean(maps, axis=0))


def _maps(attention: Sequence[list[Any]], shape: tuple[int, ...]) -> np.ndarray:
    if not attention or not attention[0]:
        return np.zeros((shape[0], 0, *shape[1:]), np.float32)
    return torch.cat([gate_maps(gates) for gates in attention]).float().cpu().numpy()


def frii(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax probability of FRII from logits (..., 2)."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp((logits[..., 0] - logits[..., 1]) / temperature))


def squared_distance(features: np.ndarray, centre: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Mahalanobis distance, squared, of features (count, features). Source: Lee et al. 2018, without class conditions."""
    away = features - centre
    return np.maximum(np.einsum("ni,ij,nj->n", away, precision, away), 0.0)
