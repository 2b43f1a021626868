"""Last layers for other classes: they begin with the best linear reading of what the network's body makes of the training images.

Drawn ones would have to be learned in a few dozen steps where labels are few, while gradients through them shake the body.
Source: Kumar et al. 2022 (linear probing, then fine-tuning).
"""

from collections.abc import Callable

import numpy as np
import torch

from equiradio.compute.empty_sky import forget_empty_sky, show_empty_sky
from equiradio.errors import SettingRefusal
from equiradio.evaluation.linear import fit_reading
from equiradio.models.network import Network
from equiradio.training.batches import SourcesModule

BATCH = 16


def fit_last_layers(network: Network, module: SourcesModule, classes: int, progress: Callable[[str, int, int], None]) -> bool:
    """Set a network's last layers by the images of the first epoch; False where they stay as they were drawn.

    They do where a ReLU stands behind the heads, and where fewer than two classes have two sources to choose a penalty by.
    """
    features, answers = _features(network, module, progress)
    probabilities = answers if answers.ndim == 2 else np.eye(classes)[answers]
    reading = fit_reading(features, probabilities, module.shown("train", 0)[0])
    if reading is None:
        return False
    try:
        network.read_by(torch.from_numpy(reading.weight), torch.from_numpy(reading.constant))
    except SettingRefusal:
        return False
    return True


def _features(network: Network, module: SourcesModule, progress: Callable[[str, int, int], None]) -> tuple[np.ndarray, np.ndarray]:
    """What the last layers would read of every image of the first epoch, float64 (images, n), and the labels or probabilities."""
    count, device = module.images_per_epoch, next(network.parameters()).device
    features, answers = [], []
    network.eval()
    with torch.no_grad():
        show_empty_sky(network, module.preprocess(torch.zeros(1, 1, network.image_side, network.image_side, device=device)))
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            images, labels = module.batch("train", 0, torch.arange(start, stop, device=device))
            features.append(network(images).features.double().cpu().numpy())
            answers.append(labels.cpu().numpy())
            progress("images for the last layers", stop, count)
    forget_empty_sky(network)
    network.train()
    return np.concatenate(features), np.concatenate(answers)
