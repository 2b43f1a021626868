"""Evidence of each pixel for a class: where the heads are linear, logits are sums over pixels of attention times a reading of the features.

logit of class k = constant_k + sum over gates and pixels of alpha(p) v_k . x(p), with v the heads' weights of the gate's features. Evidence
for a class is its logit less the mean of the others'; for FRI and FRII that of FRII: logit FRII - logit FRI. The parts show what
attention does and what the features would answer without it. As class activation maps (Zhou et al. 2016), with the gate in it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.errors import SettingRefusal
from equiradio.inference.gate_maps import agreement
from equiradio.inference.member import Member, chunks
from equiradio.models.network import Network, Output
from equiradio.sky.recipe import MIRABEST

BATCH = 16


class Evidence(NamedTuple):
    """One gate, at its own scale, float32.

    attention : alpha (count, 1, h, w).
    reading : (count, classes, h, w), what a pixel's features say for each class against the mean of the others, scaled so that the sum of
        attention times reading is in units of logits.
    """

    attention: Tensor
    reading: Tensor

    def toward(self, classes: np.ndarray) -> "Evidence":
        """The reading of one class of each image, (count, 1, h, w)."""
        return Evidence(self.attention, self.reading[torch.arange(len(classes)), torch.as_tensor(classes)][:, None])


class Sum(NamedTuple):
    """The answer of a network as a sum: every gate's evidence, shallow to deep, and the constant of each class (classes,), float64."""

    parts: list[Evidence]
    constant: Tensor


def against_the_others(values: Tensor) -> Tensor:
    """Of each class (axis 0) its value less the mean of the others'."""
    count = len(values)
    return (values * count - values.sum(0)) / (count - 1)


def sums_over_pixels(network: Network) -> bool:
    """Is the answer a sum over pixels?"""
    try:
        network.readings()
    except SettingRefusal:
        return False
    return True


def taken_apart(network: Network, output: Output) -> Sum:
    """An output as evidence.

    Raises
    ------
    SettingRefusal : see `Network.readings`.
    """
    vectors, constant = network.readings()
    parts = []
    for vector, features, alpha in zip(vectors, output.attended, output.attention, strict=True):
        weight = network.pixel_weight(alpha[0].numel())
        reading = weight * torch.einsum("bchw,kc->bkhw", features.double(), against_the_others(vector).to(features.device))
        parts.append(Evidence(alpha.float().cpu(), reading.float().cpu()))
    return Sum(parts, against_the_others(constant).cpu())


@torch.inference_mode()
def evidence(member: Member, images: np.ndarray, batch: int = BATCH) -> Sum:
    """Attention and reading of every gate, and the constants, for raw images uint8 (count, 150, 150)."""
    seen = [taken_apart(member.network, member.look(images[start:stop])) for start, stop in chunks(len(images), batch)]
    return joined(seen)


def joined(seen: Sequence[Sum]) -> Sum:
    """The evidence of several batches as that of one."""
    parts = [Evidence(*map(torch.cat, zip(*gates, strict=True))) for gates in zip(*(each.parts for each in seen), strict=True)]
    return Sum(parts, seen[0].constant)


def margins(answer: Sum) -> np.ndarray:
    """The logit of each class less the mean of the others', (count, classes), put together again; of an image the same in any company."""
    total = sum(_sums(part) for part in answer.parts)
    return answer.constant.numpy() + total


def _sums(part: Evidence) -> np.ndarray:
    """Attention times reading, summed over pixels, (count, classes): in one order, whatever lies beside an image in memory."""
    products = (part.attention.double() * part.reading.double()).flatten(2)
    return np.asarray(np.ascontiguousarray(products.numpy()).sum(-1))


def on_sky(parts: Sequence[Evidence], sky: int, side: int = MIRABEST.side) -> Tensor:
    """Attention times reading of one class, summed over gates, on the image's pixels (count, side, side).

    ``sky``: side of the padded sky. A gate's pixel is shared out evenly among the image's pixels that it covers, so that the sum of all,
    with the constant, is the margin but for what lies in the padding, which is cut off.
    """
    planes = [F.interpolate(part.attention * part.reading, size=(sky, sky)) * (part.reading.shape[-1] / sky) ** 2 for part in parts]
    edge = (sky - side) // 2
    return torch.stack(planes).sum(0)[:, 0, edge : edge + side, edge : edge + side]


class PixelEvidence(NamedTuple):
    """Why one source was answered so, mean over members of the image as it is, in log-odds before calibration.

    plane : what each pixel adds (150, 150), float32: above 0 for the class, below 0 against it.
    constant : the answer without any, of the heads and by the blank padding around the image.
    margin : the class's logit less the mean of the others', the sum of both.
    toward : place of the class: the second of two (FRII), else the one answered.
    agreement : how alike the members' planes are, see `equiradio.inference.gate_maps.agreement`; None for one member, or a flat plane.
    """

    plane: np.ndarray
    constant: float
    margin: float
    toward: int
    agreement: float | None = None

    @property
    def sides(self) -> tuple[float, float]:
        """Sum of the pixels that speak against the class, 0 or less, and of those that speak for it, 0 or more."""
        plane = self.plane.astype(float)
        return float(np.minimum(plane, 0).sum()), float(np.maximum(plane, 0).sum())


def agreement_of(planes: np.ndarray) -> float | None:
    """That of members' planes (members, side, side); None where there is none."""
    agree = agreement(planes)
    return agree if np.isfinite(agree) else None


def pixel_evidence(networks: Sequence[Network], seen: Sequence[Sum], toward: np.ndarray) -> list[PixelEvidence]:
    """Evidence of each image on its pixels, mean over members, for one class of each (count,)."""
    planes, sums, rows = [], [], np.arange(len(toward))
    for network, answer in zip(networks, seen, strict=True):
        planes.append(on_sky([part.toward(toward) for part in answer.parts], network.side, network.image_side).numpy())
        sums.append(margins(answer)[rows, toward])
    alike = [agreement_of(each) for each in np.moveaxis(np.stack(planes), 1, 0)]
    means = zip(np.mean(planes, 0), sum(sums) / len(sums), toward, alike, strict=True)
    return [PixelEvidence(plane, float(all_ - plane.sum(dtype=float)), float(all_), int(place), same) for plane, all_, place, same in means]
