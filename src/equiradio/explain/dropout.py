"""Monte Carlo dropout: answers with the heads' dropout left on."""

import numpy as np
import torch
from torch import Tensor, nn

from equiradio.inference.member import Member, chunks
from equiradio.models.network import Network


def dropout_answers(member: Member, images: np.ndarray, draws: int = 50, seed: int = 0, batch: int = 32) -> np.ndarray:
    """Probabilities of every image, row 0 without dropout and then under ``draws`` masks of it: float64 (draws + 1, count, classes).

    Dropout acts in the heads only, so the convolutions are computed once per image and the heads as often as asked.
    Source: Gal & Ghahramani 2016.
    """
    outputs = [member.look(images[slice(*rows)]) for rows in chunks(len(images), batch)]
    plain = np.concatenate([output.logits.double().softmax(1).cpu().numpy() for output in outputs])
    joined = [torch.cat(vectors) for vectors in zip(*(output.vectors for output in outputs), strict=True)]
    return np.concatenate([plain[None], sampled_heads(member.network, joined, draws, seed)])


@torch.inference_mode()
def sampled_heads(network: Network, vectors: list[Tensor], draws: int, seed: int) -> np.ndarray:
    """Probabilities of the heads with their dropout on: float64 (draws, count, classes)."""
    switches = [module for module in network.modules() if isinstance(module, nn.Dropout)]
    for switch in switches:
        switch.train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return np.stack([network.decide(vectors)[0].double().softmax(1).cpu().numpy() for _ in range(draws)])
    finally:
        for switch in switches:
            switch.eval()
