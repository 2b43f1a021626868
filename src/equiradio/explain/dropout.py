"""Monte Carlo dropout: answers with the heads' dropout left on."""

import numpy as np
import torch
from torch import Tensor, nn

from equiradio.inference.classifier import Classifier, chunks


def dropout_answers(classifier: Classifier, images: np.ndarray, draws: int = 50, seed: int = 0, batch: int = 32) -> np.ndarray:
    """p_frii of every image, row 0 without dropout and then under ``draws`` masks of it: float64 (draws + 1, count).

    Dropout acts in the heads only, so the convolutions are computed once per image and the heads as often as asked.
    Source: Gal & Ghahramani 2016.
    """
    parts = [heads_input(classifier, images[slice(*rows)]) for rows in chunks(len(images), batch)]
    plain = np.concatenate([answers for _, answers in parts])
    joined = [torch.cat(vectors) for vectors in zip(*(vectors for vectors, _ in parts), strict=True)]
    return np.concatenate([plain[None], sampled_heads(classifier.network.aggregate, joined, draws, seed)])  # type: ignore[arg-type]


def heads_input(classifier: Classifier, images: np.ndarray) -> tuple[list[Tensor], np.ndarray]:
    """What the heads are given, attended features (count, fields) of each gate; and p_frii (count,)."""
    kept: list[Tensor] = []
    handle = classifier.network.aggregate.register_forward_pre_hook(lambda module, inputs: kept.extend(inputs[0]))  # type: ignore[union-attr]
    try:
        logits = classifier.look(images).logits
    finally:
        handle.remove()
    return kept, logits.double().softmax(1)[:, 1].cpu().numpy()


@torch.inference_mode()
def sampled_heads(heads: nn.Module, features: list[Tensor], draws: int, seed: int) -> np.ndarray:
    """p_frii of the heads in training mode, i.e. with dropout: float64 (draws, count)."""
    heads.train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return np.stack([heads(features)[0].double().softmax(1)[:, 1].cpu().numpy() for _ in range(draws)])
    finally:
        heads.eval()
