"""Calibrated answers of a team: probabilities, their spread, whether to abstain, and how unlike the known sources an image is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from equiradio.errors import ImageRefusal
from equiradio.evaluation.calibration import most_probable
from equiradio.evaluation.choosing import probabilities, squared_distance
from equiradio.evaluation.prior import reweighed
from equiradio.inference.calibration import Calibration
from equiradio.inference.evidence import PixelEvidence, Sum, joined, pixel_evidence, sums_over_pixels, taken_apart
from equiradio.inference.gate_maps import agreement, gate_maps, one_map
from equiradio.inference.member import Member
from equiradio.inference.posed import Posed, in_pose

NO_CLASS = -1  # in the place of a class, where there is no answer
SPREAD = (5.0, 95.0)  # percent, of member x pose: a 90 % interval called model spread


@dataclass(frozen=True)
class Answers:
    """What a team answers.

    Attributes
    ----------
    p : (count, classes), mean over members and poses; nan where a member's logits are not finite, which is no answer.
    own : (count, classes), the same for the mix of classes that was learned from, where ``p`` is for another.
    low, high : (count, classes), the model spread around it.
    top : (count,), place of the class answered; `NO_CLASS` where there is no answer.
    uncertain : bool (count,), abstain.
    distance, unusual : (count,), from the known sources (nan where that was never measured), and whether it is too large.
    agreement : (count,), of the members' mean maps, see `equiradio.inference.gate_maps.agreement`; nan where there is none.
    gates : float32 (count, gates, 150, 150), maps at the image's scale, mean over members of the image as it is; no gates for a LeNet.
    attention : float32 (count, 150, 150), one map of all gates (`combined_map`), mean over members; nan without gates.
    features : float32 (count, n), what the members' heads decide from, side by side, of the image as it is; none (count, 0) where not all
        answers are of one team.
    evidence : of each image, where it was asked for and the answer is a sum over pixels.
    """

    p: np.ndarray
    own: np.ndarray
    low: np.ndarray
    high: np.ndarray
    top: np.ndarray
    uncertain: np.ndarray
    distance: np.ndarray
    unusual: np.ndarray
    agreement: np.ndarray
    gates: np.ndarray
    attention: np.ndarray
    features: np.ndarray
    evidence: list[PixelEvidence | None]

    @property
    def answered(self) -> np.ndarray:
        """Is there an answer? bool (count,)."""
        return self.top != NO_CLASS

    def with_others(self, places: Sequence[int], others: "Answers") -> "Answers":
        """These answers with ``others``, another team's, at some places."""
        changed: dict[str, Any] = {"features": self.features[:, :0]}
        for spec in fields(self):
            if spec.name in changed:
                continue
            mine, theirs = getattr(self, spec.name), getattr(others, spec.name)
            changed[spec.name] = mine.copy()
            for place, value in zip(places, theirs, strict=True):
                changed[spec.name][place] = value
        return Answers(**changed)


def answer(members: Sequence[Member], calibration: Calibration, images: np.ndarray, *, why: bool = False) -> Answers:
    """Ask every member about raw images uint8 (count, 150, 150), in the calibration's poses; ``why`` asks for evidence too."""
    *_, last = answer_in_pieces(members, calibration, images, why=why)
    assert last is not None
    return last


def answer_in_pieces(
    members: Sequence[Member], calibration: Calibration, images: np.ndarray, *, why: bool = False
) -> Iterator[Answers | None]:
    """As `answer`; yields None after each pose of each member, where a caller may stop or do other work, and the answers at the end."""
    logits, distances, maps, features = [], [], [], []
    sums: list[Sum] = []
    why = why and all(sums_over_pixels(member.network) for member in members)
    for number, member in enumerate(members):
        for pose in range(calibration.poses):
            posed = in_pose(member, images, pose)
            logits.append(posed.logits)
            if pose == 0:
                maps.append(_maps(posed, images.shape))
                features.append(posed.features.astype(np.float32))
                if calibration.centre is not None and calibration.precision is not None:
                    distances.append(squared_distance(posed.features, calibration.centre[number], calibration.precision[number]))
                if why:
                    sums.append(joined([taken_apart(member.network, output) for output in posed.outputs]))
            yield None
    asked = np.array(logits)
    fine = np.isfinite(asked).all((0, 2))
    p = probabilities(np.where(fine[:, None], asked, np.nan), calibration.temperature)
    own = p.mean(0)
    mean = reweighed(own, calibration.weights)
    p = reweighed(p, calibration.weights)
    low, high = np.percentile(p, SPREAD, axis=0)
    top = np.where(fine, most_probable(mean), NO_CLASS)
    distance = np.sqrt(sum(distances) / len(distances)) if distances else np.full(len(images), np.nan)
    unusual = ~(distance <= calibration.reach) if calibration.reach is not None else np.zeros(len(images), bool)
    evidence: list[PixelEvidence | None] = [None] * len(images)
    if why:
        toward = np.ones(len(images), int) if mean.shape[1] == 2 else np.maximum(top, 0)
        each = pixel_evidence([member.network for member in members], sums, toward)
        evidence = [one if there else None for one, there in zip(each, fine, strict=True)]
    low, high = np.minimum(low, mean), np.maximum(high, mean)
    uncertain = doubtful(mean, low, high, top, calibration.threshold) | ~fine
    joint = np.stack([one_map(gates, member.network.anchored) for gates, member in zip(maps, members, strict=True)], 1)
    agree = np.array([agreement(planes) for planes in joint])
    seen = np.mean(maps, axis=0), joint.mean(1), np.concatenate(features, 1)
    yield Answers(mean, own, low, high, top, uncertain, distance, unusual, agree, *seen, evidence)


def no_answer(name: str) -> ImageRefusal:
    """What to say of a source about which a network answers with numbers that are not finite."""
    words = "the network answers with numbers that are not finite"
    return ImageRefusal("not_finite_answer", name, words, "probabilities", "Take another model, or float32 where it was bf16.")


def doubtful(p: np.ndarray, low: np.ndarray, high: np.ndarray, top: np.ndarray, threshold: float | None) -> np.ndarray:
    """Abstain: below the threshold; where none was chosen, where another class's spread overlaps that of the one answered."""
    rows = np.arange(len(p))
    if threshold is not None:
        return p.max(1) < threshold
    others = high.copy()
    others[rows, top] = -np.inf
    return low[rows, top] < others.max(1)


def _maps(posed: Posed, shape: tuple[int, ...]) -> np.ndarray:
    if not posed.outputs or not posed.outputs[0].attention:
        return np.zeros((shape[0], 0, *shape[1:]), np.float32)
    return torch.cat([gate_maps(output.attention, shape[-1]) for output in posed.outputs]).float().cpu().numpy()
