"""What the members of an ensemble answer about images in several poses, and what each of them saw on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equiradio.data.augment import Poses
from equiradio.inference.classifier import Classifier, chunks
from equiradio.models.registry import group_of

BATCH = 16  # images at a time: larger ones are no quicker on a CPU and take more memory


def poses_for(model: str, count: int) -> Poses:
    """The first ``count`` poses in which a model is asked; the first shows the image as it is, and more of them never change those before.

    Angles fill 0 to 90 degrees evenly (a bit-reversed sequence) where the group has quarter turns, which add nothing to it, and the whole
    circle elsewhere; every second pose is mirrored where the group lacks mirrors.
    """
    group = group_of(model)
    span = 90.0 if group is not None and group.rotations % 4 == 0 else 360.0
    shares = [int(f"{number:016b}"[::-1], 2) / 2**16 for number in range(count)]
    mirrored = np.arange(count) % 2 == 1
    return Poses(span * np.array(shares), mirrored & (group is None or not group.mirrored), np.ones(count))


@contextmanager
def features_seen(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collects what the last layers decide from, (batch, features) per call: attended features, or a LeNet's last hidden vector."""
    seen: list[Tensor] = []

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        vectors = given[0] if isinstance(given[0], list) else [given[0]]
        seen.append(torch.cat([vector.detach().float() for vector in vectors], 1))

    place = getattr(network, "aggregate", None) or [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    handle = place.register_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


def one_pose(member: Classifier, images: np.ndarray, pose: int) -> tuple[np.ndarray, np.ndarray, list[list[Tensor]]]:
    """Logits (count, 2), features (count, features) and gates' maps, batch by batch, of raw images in one pose of `poses_for`."""
    everyone = poses_for(member.card.model, pose + 1)
    logits, features, gates = [], [], []
    for start, stop in chunks(len(images), BATCH):
        turn = Poses(*(np.repeat(column[-1:], stop - start) for column in (everyone.rotation_deg, everyone.mirrored, everyone.scale)))
        with features_seen(member.network) as seen:
            output = member.look(images[start:stop], turn if pose else None)
        logits.append(output.logits.double().cpu().numpy())
        features.append(seen[0].double().cpu().numpy())
        gates.append(output.attention)
    return np.concatenate(logits), np.concatenate(features), gates
