"""Last layers for other classes: they begin with the best linear reading of what the network's body makes of the training images.

Drawn ones would have to be learned in a few dozen steps where labels are few, while gradients through them shake the body.
Source: Kumar et al. 2022 (linear probing, then fine-tuning).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from equiradio.compute.empty_sky import forget_empty_sky, show_empty_sky
from equiradio.errors import SettingRefusal
from equiradio.evaluation.linear import fit_reading
from equiradio.models.network import Network
from equiradio.training.batches import SourcesModule


def fit_last_layers(network: Network, module: SourcesModule, progress: Callable[[str, int, int], None]) -> bool:
    """Set a network's last layers by the images of the first epoch; False where they stay as they were drawn.

    They do where a ReLU stands behind the heads, and where fewer than two classes have two sources to choose a penalty by.
    Where the body is to learn, they read its features as batches in training give them too, by whose statistics it is normalised there.
    """
    ways = (False,) if module.settings.freeze == "blocks" else (True, False)
    order = torch.randperm(module.images_per_epoch, generator=torch.Generator().manual_seed(module.settings.seed))
    features = np.concatenate([_features(network, module, order, learning, progress) for learning in ways])
    sources = np.tile(module.shown("train", 0)[0][order.numpy()], len(ways))
    targets = module.splits["train"].shares if module.lesson is None else module.lesson.targets
    reading = fit_reading(features, targets[sources] / len(ways), sources)
    if reading is None:
        return False
    try:
        network.read_by(torch.from_numpy(reading.weight), torch.from_numpy(reading.constant))
    except SettingRefusal:
        return False
    return True


def _features(
    network: Network, module: SourcesModule, order: Tensor, learning: bool, progress: Callable[[str, int, int], None]
) -> np.ndarray:
    """What the last layers read of the first epoch's images, in this order, float64 (images, n).

    In evaluation, or in batches of a training, whose statistics batch norm remembers.
    """
    device, what = next(network.parameters()).device, "images for the last layers" + ", in batches" * learning
    features, done = [], 0
    network.train(learning)
    if not learning:
        show_empty_sky(network, module.preprocess(torch.zeros(1, 1, network.image_side, network.image_side, device=device)))
    for views in order.split(module.settings.batch_size):
        images, _ = module.batch("train", 0, views.to(device))
        with torch.set_grad_enabled(learning):  # by which layers know that they need not look at empty sky
            features.append(network(images).features.detach().double().cpu().numpy())
        progress(what, done := done + len(views), len(order))
    forget_empty_sky(network)
    network.train()
    return np.concatenate(features)
