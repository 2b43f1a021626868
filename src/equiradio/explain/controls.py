"""What attention is measured against: maps that need no attention, and what others draw of the same network."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.compute.forms import take_likely_forms
from equiradio.errors import SettingRefusal
from equiradio.inference.member import Member
from equiradio.models.network import Network
from equiradio.models.registry import build

CAM_LAYER = "blocks.2"
FRESH_SEED = 1_000_000  # of weights never trained: of no run's own, lest a control be what a network has grown from


def centred_gaussian(fwhm_pixels: float = 30.0, side: int = 150) -> np.ndarray:
    """A round Gaussian at the centre, where MiraBest's sources are: float32 (side, side)."""
    offset = np.arange(side) - (side - 1) / 2
    return np.exp(-4 * np.log(2) * (offset[:, None] ** 2 + offset**2) / fwhm_pixels**2).astype(np.float32)


def fresh_network(member: Member, seed: int = FRESH_SEED) -> Network:
    """A network of the same settings and classes with weights as before a training by ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(
            member.settings.model, classes=len(member.labels), blank=member.preprocess.blank, image_side=member.card.images.side
        )
    take_likely_forms(network, "auto", member.precision, member.device.type)
    return network.to(member.device).eval()


def cascade(network: Network) -> list[str]:
    """The parts that a map depends on, from the gates down to the first block; the last part only reads what was attended to."""
    return list(reversed(network.parts[:-1]))


def randomised(member: Member, seed: int = FRESH_SEED) -> Iterator[tuple[str, Member]]:
    """A member with more and more of its network randomised, from the gates down to the first block.

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps" (cascading randomisation). A map that stays the same does not show
    what the network has learnt.
    """
    fresh, state = fresh_network(member, seed).state_dict(), dict(member.network.state_dict())
    for stage in cascade(member.network):
        state |= {name: value for name, value in fresh.items() if name.startswith(f"{stage}.")}
        network = copy.deepcopy(member.network)
        network.load_state_dict(state)
        yield stage, member.with_network(network.eval())


@contextmanager
def _frozen(network: Network) -> Iterator[None]:
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, value in zip(network.parameters(), wanted, strict=True):
            parameter.requires_grad_(value)


def grad_cam(member: Member, images: np.ndarray, classes: np.ndarray, batch: int = 4) -> np.ndarray:
    """Grad-CAM (captum) of ``classes`` (count,), places: float32 (count, side, side), 0 or more.

    At block 3, the deepest whose pixels reach the answer (block 4 does so through the gates only), averaged over the group.
    Source: Selvaraju et al. 2017.
    """
    captum = _captum()
    network = member.network
    cam = captum.LayerGradCam(_logits(network), network.layer(CAM_LAYER))
    side = images.shape[-1]
    edge = (network.side - side) // 2
    planes = []
    with torch.enable_grad():
        for start in range(0, len(images), batch):
            inputs = _prepared(member, images[start : start + batch]).requires_grad_()
            weighted = cam.attribute(inputs, target=_targets(member, classes[start : start + batch]))
            weighted = weighted[: len(inputs)]  # the empty sky that anchored gates need goes along as the last of a batch
            weighted = F.relu(weighted.flatten(1, -3).mean(1, keepdim=True))
            sky = F.interpolate(weighted, size=[network.side] * 2, mode="bilinear", align_corners=False)
            planes.append(sky[:, 0, edge : edge + side, edge : edge + side].detach().cpu().float())
    return torch.cat(planes).numpy()


def integrated_gradients(member: Member, images: np.ndarray, classes: np.ndarray, steps: int = 8) -> np.ndarray:
    """|Integrated gradients| (captum) of ``classes`` (count,), from an empty sky (raw zero): float32 (count, side, side).

    Source: Sundararajan et al. 2017. Eight Gauss-Legendre steps: enough for a ranking of pixels.
    """
    network = member.network
    method = _captum().IntegratedGradients(_logits(network))
    empty = _prepared(member, np.zeros((1, *images.shape[1:]), np.float32))
    planes = []
    with _frozen(network), torch.enable_grad():
        for image, label in zip(images, classes, strict=True):
            inputs = _prepared(member, image[None])
            target = _targets(member, np.array([label]))
            gradients = method.attribute(inputs, empty, target=target, n_steps=steps, method="gausslegendre", internal_batch_size=4)
            planes.append(gradients[:, 0].abs().detach().cpu().float())
    return torch.cat(planes).numpy()


def _prepared(member: Member, images: np.ndarray) -> Tensor:
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(member.device)[:, None]
    return member.preprocess(pixels)


def _targets(member: Member, classes: np.ndarray) -> Tensor:
    return torch.from_numpy(classes.astype(np.int64)).to(member.device)


def _logits(network: Network) -> Callable[[Tensor], Tensor]:
    return lambda inputs: network(inputs).logits


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError:
        raise SettingRefusal("explain", "no package captum", "captum", "pip install 'equiradio[explain]'") from None
    return captum.attr
