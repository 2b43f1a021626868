"""Every kind of map that one network gives of an image, and the controls that need none."""

from typing import NamedTuple

import numpy as np

from equiradio.errors import SettingRefusal
from equiradio.explain.case import Effort
from equiradio.explain.combining import combined
from equiradio.explain.controls import fresh_network, grad_cam, integrated_gradients
from equiradio.explain.faithfulness import departure
from equiradio.explain.saliency import occlusion, score_cam, windows
from equiradio.inference.evidence import on_sky, taken_apart
from equiradio.inference.gate_maps import combined_map, gate_maps, one_map
from equiradio.inference.member import Member, chunks

BATCH = 16
CHEAP = ("attention", "departure", "combined", "first_gate", "evidence", "evidence_for", "grad_cam")  # a pass or three of the network
COSTLY = ("score_cam", "gradients", "occlusion")  # tens of passes
CHANNELS = 32  # of block 3, each of which Score-CAM asks about


class Seen(NamedTuple):
    """Gate maps (count, gates, side, side), and evidence for the class given (count, side, side): nan where the answer is no sum."""

    gates: np.ndarray
    evidence: np.ndarray


def seen(member: Member, images: np.ndarray, given: np.ndarray) -> Seen:
    """What a network attends to and why, for the classes ``given`` (count,), of raw images (count, side, side)."""
    gates, planes = [], []
    for start, stop in chunks(len(images), BATCH):
        output = member.look(images[start:stop])
        gates.append(gate_maps(output.attention, images.shape[-1]).float().cpu().numpy())
        try:
            parts = [part.toward(given[start:stop]) for part in taken_apart(member.network, output).parts]
        except SettingRefusal:
            planes.append(np.full((stop - start, *images.shape[1:]), np.nan, np.float32))
        else:
            planes.append(on_sky(parts, member.network.side, images.shape[-1]).numpy())
    return Seen(np.concatenate(gates), np.concatenate(planes))


def cheap_maps(member: Member, images: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """The kinds of `CHEAP`, float32 (count, side, side) each.

    attention : as it is shown, see `equiradio.inference.gate_maps.combined_map`. departure : how far that is from its level on dark
    pixels. combined : see `equiradio.explain.combining`. first_gate : departure of the map of the shallowest gate, the finest. evidence :
    what each pixel adds to the answer, by how far it is from its level on dark pixels; evidence_for : the same with its sign, above 0 for
    the class given. grad_cam : see `equiradio.explain.controls`.
    """
    sight, lit = seen(member, images, given), images > 0
    attention = one_map(sight.gates, member.network.anchored)
    level = np.array([np.median(plane[~mask]) if not mask.all() else 0.0 for plane, mask in zip(sight.evidence, lit, strict=True)])
    signed = (sight.evidence - level[:, None, None]).astype(np.float32)
    return {
        "attention": attention,
        "departure": departure(attention, lit),
        "combined": combined(sight.gates, lit),
        "first_gate": departure(sight.gates[:, 0], lit),
        "evidence": abs(signed),
        "evidence_for": signed,
        "grad_cam": grad_cam(member, images, given),
    }


def costly_maps(member: Member, images: np.ndarray, given: np.ndarray, effort: Effort) -> dict[str, np.ndarray]:
    """The kinds of `COSTLY`, float32 (count, side, side) each."""
    return {
        "score_cam": score_cam(member, images, given),
        "gradients": integrated_gradients(member, images, given, effort.gradient_steps),
        "occlusion": occlusion(member, images, given, effort.window),
    }


def untrained_maps(member: Member, images: np.ndarray, seed: int) -> np.ndarray:
    """Attention of the network with fresh weights by ``seed``, (count, side, side)."""
    fresh = member.with_network(fresh_network(member, seed))
    looks = [gate_maps(fresh.look(images[slice(*rows)]).attention, images.shape[-1]) for rows in chunks(len(images), BATCH)]
    return np.concatenate([combined_map(gates, fresh.network.anchored).float().cpu().numpy() for gates in looks])


def noise(images: np.ndarray, seed: int) -> np.ndarray:
    """Uniform noise, another for each image and ``seed``: float32 (count, side, side)."""
    return np.random.default_rng([7, seed]).random(images.shape, np.float32)


def passes_of(kinds: tuple[str, ...], images: np.ndarray, effort: Effort) -> int:
    """About how many images a network is shown for kinds of maps of raw images; a gradient counts as one."""
    lit = sum(sum(bool(image[place].any()) for place in windows(image.shape[-1], effort.window)) for image in images)
    each = {"attention": 1, "grad_cam": 1, "score_cam": CHANNELS, "gradients": effort.gradient_steps}
    return len(images) * sum(each.get(kind, 0) for kind in kinds) + (lit + len(images) if "occlusion" in kinds else 0)


def all_maps(member: Member, images: np.ndarray, given: np.ndarray, deep: np.ndarray, effort: Effort) -> dict[str, np.ndarray]:
    """Every kind (count, side, side); the costly ones of the rows ``deep`` alone and nan elsewhere."""
    planes = cheap_maps(member, images, given)
    costly = costly_maps(member, images[deep], given[deep], effort) if len(deep) else {}
    for kind in COSTLY:
        planes[kind] = np.full(images.shape, np.nan, np.float32)
        if kind in costly:
            planes[kind][deep] = costly[kind]
    return planes
