"""What attention is measured against: maps that need no attention, and what others draw of the same network."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.compute.forms import take_likely_forms
from equiradio.errors import SettingRefusal
from equiradio.inference.member import Member
from equiradio.models.registry import build
from equiradio.sky.recipe import MIRABEST

CASCADE = ("gates", "blocks.3", "blocks.2", "blocks.1", "blocks.0")  # from the answer down to the image
FRESH_SEED = 1_000_000  # of weights never trained: of no run's own, lest a control be what a network has grown from


def centred_gaussian(fwhm_pixels: float = 30.0, side: int = MIRABEST.side) -> np.ndarray:
    """A round Gaussian at the centre, where MiraBest's sources are: float32 (side, side)."""
    offset = np.arange(side) - (side - 1) / 2
    return np.exp(-4 * np.log(2) * (offset[:, None] ** 2 + offset**2) / fwhm_pixels**2).astype(np.float32)


def fresh_network(classifier: Member, seed: int = FRESH_SEED) -> nn.Module:
    """A network of the same settings with weights as before a training by ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(classifier.settings.model, classes=len(classifier.labels), blank=classifier.preprocess.blank)
    take_likely_forms(network, "auto", classifier.precision, classifier.device.type)
    return network.to(classifier.device).eval()


def randomised(classifier: Member, seed: int = FRESH_SEED) -> Iterator[tuple[str, Member]]:
    """The classifier with more and more of its network randomised, from the gates down to the first block.

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps" (cascading randomisation). A map that stays the same does not show
    what the network has learnt.
    """
    fresh, state = fresh_network(classifier, seed).state_dict(), dict(classifier.network.state_dict())
    for stage in CASCADE:
        state |= {name: value for name, value in fresh.items() if name.startswith(f"{stage}.")}
        network = copy.deepcopy(classifier.network)
        network.load_state_dict(state)
        yield stage, classifier.with_network(network.eval())


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, value in zip(network.parameters(), wanted, strict=True):
            parameter.requires_grad_(value)


def grad_cam(classifier: Member, images: np.ndarray, classes: np.ndarray, batch: int = 4) -> np.ndarray:
    """Grad-CAM (captum) of ``classes`` (count,), 0 or 1: float32 (count, 150, 150), 0 or more.

    At block 3, the deepest whose pixels reach the answer (block 4 does so through the gates only), averaged over the group.
    Source: Selvaraju et al. 2017.
    """
    captum = _captum()
    network = classifier.network
    cam = captum.LayerGradCam(_logits(network), network.layer("blocks.2"))
    edge = (network.side - MIRABEST.side) // 2
    planes = []
    with torch.enable_grad():
        for start in range(0, len(images), batch):
            inputs = _prepared(classifier, images[start : start + batch]).requires_grad_()
            found = cam.attribute(inputs, target=_targets(classifier, classes[start : start + batch]))
            found = F.relu(found.flatten(1, -3).mean(1, keepdim=True))
            sky = F.interpolate(found, size=[MIRABEST.side + 2 * edge] * 2, mode="bilinear", align_corners=False)
            planes.append(sky[:, 0, edge : edge + MIRABEST.side, edge : edge + MIRABEST.side].detach().cpu().float())
    return torch.cat(planes).numpy()


def integrated_gradients(classifier: Member, images: np.ndarray, classes: np.ndarray, steps: int = 8) -> np.ndarray:
    """|Integrated gradients| (captum) of ``classes`` (count,), from an empty sky (raw zero): float32 (count, 150, 150).

    Source: Sundararajan et al. 2017. Eight Gauss-Legendre steps: enough for a ranking of pixels.
    """
    network = classifier.network
    method = _captum().IntegratedGradients(_logits(network))
    empty = _prepared(classifier, np.zeros((1, *images.shape[1:]), np.float32))
    planes = []
    with _frozen(network), torch.enable_grad():
        for image, label in zip(images, classes, strict=True):
            inputs = _prepared(classifier, image[None])
            target = _targets(classifier, np.array([label]))
            found = method.attribute(inputs, empty, target=target, n_steps=steps, method="gausslegendre", internal_batch_size=4)
            planes.append(found[:, 0].abs().detach().cpu().float())
    return torch.cat(planes).numpy()


def _prepared(classifier: Member, images: np.ndarray) -> Tensor:
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(classifier.device)[:, None]
    return classifier.preprocess(pixels)


def _targets(classifier: Member, classes: np.ndarray) -> Tensor:
    return torch.from_numpy(classes.astype(np.int64)).to(classifier.device)


def _logits(network: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda inputs: network(inputs).logits


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError:
        raise SettingRefusal("explain", "no package captum", "captum and photutils", "pip install 'equiradio[explain]'") from None
    return captum.attr
