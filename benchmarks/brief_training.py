"""A short training on simulated images by the recipe of preset `fast`, for benchmarks that compare networks and need no good ones."""

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiradio.compute.poses import TEST, TRAINING, draw_poses, show
from equiradio.compute.preprocess import Preprocessing
from equiradio.settings import preset

BATCH = 16
PREPARE = Preprocessing(0.0031, 0.0350, None)


def views(images: Tensor, rows: np.ndarray, seed: int, purpose: int, number: int) -> Tensor:
    """These images (count, side, side) in a pose each, as a network takes them."""
    poses = draw_poses(seed, purpose, rows, np.full(len(rows), number))
    return PREPARE(show(images[rows], poses.matrices()))


def fit(network: nn.Module, images: Tensor, labels: Tensor, seed: int, epochs: int, precision: str = "float32") -> None:
    """Train in place; same seed: same order and poses."""
    recipe = preset("fast").training
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    steps = epochs * -(-len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(labels))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                logits = network(views(images, rows, seed, TRAINING, epoch)).logits
            optimiser.zero_grad()
            F.cross_entropy(logits.float(), labels[rows]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
            optimiser.step()
            schedule.step()
    network.eval()


@torch.inference_mode()
def score(network: nn.Module, images: Tensor, labels: Tensor, seed: int, passes: int, precision: str = "float32") -> dict[str, float]:
    """Accuracy and negative log-likelihood of the mean probability over the passes."""
    total = torch.zeros(len(labels), 2)
    for number, start in product(range(passes), range(0, len(labels), 50)):
        rows = np.arange(start, min(start + 50, len(labels)))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            total[rows] += network(views(images, rows, seed, TEST, number)).logits.float().softmax(1) / passes
    right = (total.argmax(1) == labels).float().mean()
    return {"accuracy": round(float(right), 4), "nll": round(float(F.nll_loss(total.log(), labels)), 4)}
