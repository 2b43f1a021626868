"""Members asked about images in one of several poses."""

from typing import NamedTuple

import numpy as np

from equiradio.compute.poses import Poses
from equiradio.inference.member import Member, chunks
from equiradio.models.network import Output
from equiradio.symmetry.groups import Group

BATCH = 16  # images at a time: larger ones are no quicker on a CPU and take more memory


def poses_for(group: Group | None, count: int) -> Poses:
    """The first ``count`` poses in which a network is asked; the first shows the image as it is, more of them change none before.

    Angles fill 0 to 90 degrees evenly (a bit-reversed sequence) where the group has quarter turns, which add nothing to it, and the whole
    circle elsewhere; every second pose is mirrored where the group lacks mirrors.
    """
    span = 90.0 if group is not None and group.rotations % 4 == 0 else 360.0
    shares = [int(f"{number:016b}"[::-1], 2) / 2**16 for number in range(count)]
    mirrored = np.arange(count) % 2 == 1
    return Poses(span * np.array(shares), mirrored & (group is None or not group.mirrored), np.ones(count))


class Posed(NamedTuple):
    """What a member answers in one pose: logits (count, classes), features (count, n), float64; where wanted the outputs by batch."""

    logits: np.ndarray
    features: np.ndarray
    outputs: list[Output]


def in_pose(member: Member, images: np.ndarray, pose: int, *, outputs: bool = True) -> Posed:
    """Ask about raw images in one pose of `poses_for`; ``outputs``, which hold maps and features of every pixel, only where wanted."""
    everyone = poses_for(member.group, pose + 1)
    logits, features, whole = [], [], []
    for start, stop in chunks(len(images), BATCH):
        turn = Poses(*(np.repeat(column[-1:], stop - start) for column in (everyone.rotation_deg, everyone.mirrored, everyone.scale)))
        output = member.look(images[start:stop], turn if pose else None)
        logits.append(output.logits.double().cpu().numpy())
        features.append(output.features.double().cpu().numpy())
        whole += [output] if outputs else []
    return Posed(np.concatenate(logits), np.concatenate(features), whole)
