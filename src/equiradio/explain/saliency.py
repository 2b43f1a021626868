"""What others draw of a network by asking it about changed images: Score-CAM and occlusion. They need its answers and no gradients."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.inference.member import Member, chunks

BATCH = 16


def _logits(member: Member, images: np.ndarray, label: int) -> np.ndarray:
    """The logit of one class for raw images (count, side, side), float64."""
    return np.concatenate(
        [member.look(images[slice(*rows)]).logits[:, label].double().cpu().numpy() for rows in chunks(len(images), BATCH)]
    )


def score_cam(member: Member, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Score-CAM of ``classes`` (count,), places: float32 (count, side, side), 0 or more.

    Each channel of block 3, pooled over the group, is enlarged, stretched to 0..1 and multiplied into the raw image, which dims it
    towards empty sky; the map is the channels' sum weighted by the softmax of the logits that the class then has. Source: Wang et al. 2020,
    "Score-CAM", algorithm 1; its baseline cancels in the softmax.
    """
    return np.stack([_score_cam(member, image, int(label)) for image, label in zip(images, classes, strict=True)])


def _score_cam(member: Member, image: np.ndarray, label: int) -> np.ndarray:
    features = member.look(image[None]).attended[-1][0].float().cpu()
    channels = enlarged(features, member.network.side, image.shape[-1])
    low, high = channels.amin((1, 2), keepdim=True), channels.amax((1, 2), keepdim=True)
    channels = channels[(high > low).flatten()]
    if not len(channels):
        return np.zeros(image.shape, np.float32)
    low, high = channels.amin((1, 2), keepdim=True), channels.amax((1, 2), keepdim=True)
    masks = ((channels - low) / (high - low)).numpy()
    weights = torch.from_numpy(_logits(member, (masks * image).astype(np.float32), label)).softmax(0).float()
    plane: np.ndarray = F.relu((weights[:, None, None] * channels).sum(0)).numpy()
    return plane


def enlarged(features: Tensor, sky: int, side: int) -> Tensor:
    """Planes (channels, h, w) on the image's pixels (channels, side, side), without the padding of the sky."""
    edge = (sky - side) // 2
    planes = F.interpolate(features[None], size=(sky, sky), mode="bilinear", align_corners=False)[0]
    return planes[:, edge : edge + side, edge : edge + side]


def occlusion(member: Member, images: np.ndarray, classes: np.ndarray, window: int = 12) -> np.ndarray:
    """How much the logit of ``classes`` (count,) falls where a square window is empty sky (raw zero): float32 (count, side, side).

    A pixel's value is the mean over the windows that cover it, each moved by half of ``window`` pixels, which is even. Source: Zeiler &
    Fergus 2014; captum's `Occlusion` gives the same. Windows in which there is nothing but empty sky change nothing and are not asked
    about: nine tenths of them.
    """
    return np.stack([_occluded(member, image, int(label), window) for image, label in zip(images, classes, strict=True)])


def _occluded(member: Member, image: np.ndarray, label: int, window: int) -> np.ndarray:
    places = list(windows(image.shape[-1], window))
    falls, covered = np.zeros(image.shape), np.zeros(image.shape)
    lit = [place for place in places if image[place].any()]
    changed = np.repeat(image[None], len(lit) + 1, 0)
    for number, place in enumerate(lit, 1):
        changed[(number, *place)] = 0
    answers = _logits(member, changed, label)
    for place, answer in zip(lit, answers[1:], strict=True):
        falls[place] += answers[0] - answer
    for place in places:
        covered[place] += 1
    return (falls / np.maximum(covered, 1)).astype(np.float32)


def windows(side: int, window: int) -> Iterator[tuple[slice, slice]]:
    """Squares of ``window`` pixels, each moved by half of itself, over a plane of ``side`` pixels; what sticks out is cut off."""
    starts = range(0, side - window // 2, window // 2)
    for row in starts:
        for column in starts:
            yield slice(row, row + window), slice(column, column + window)
