"""Attention maps of a split, as ``maps.npz`` holds them: for trained networks, and for untrained ones as a control."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from equiradio.artefacts.atomic import write_atomically
from equiradio.artefacts.card import Card
from equiradio.compute.preprocess import preprocessing
from equiradio.datasets.sources import Sources
from equiradio.explain.attention import ANGLES, maps, rotation_means
from equiradio.inference.member import Member
from equiradio.models.names import architecture
from equiradio.models.registry import build
from equiradio.settings import Settings

STEP = 2  # of 255, in maps of single sources: finer steps are noise that doubles the file

Progress = Callable[[str, int, int], object]


def map_arrays(
    classifier: Member, sources: Sources, *, raw: bool = False, progress: Progress = lambda what, done, total: None
) -> dict[str, np.ndarray]:
    """The arrays of ``maps.npz``: see docs/reference/files.md.

    ``raw`` feeds raw pixels, the habit ``raw-figure2``. Hybrids have a map and no part in the means.
    """
    plain = maps(classifier, sources.images, raw=raw)
    means = rotation_means(
        classifier,
        sources.images,
        sources.labels,
        len(sources.classes),
        raw=raw,
        progress=lambda done, total: progress("maps", done, total),
    )
    return {
        "source_id": sources.source_ids.astype(str),
        "label": sources.labels,
        "maps": as_bytes(plain, step=STEP),
        "mean_maps": means.maps,
        "mean_images": means.images.astype(np.float16),
        "rotation_maps": as_bytes(means.of_sources),
        "rotations": np.array(ANGLES),
    }


def joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of all sources from those of parts of them, in order; means are weighted by sources of the class."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in ("source_id", "label", "maps", "rotation_maps")}
    for name in ("mean_maps", "mean_images"):
        counts = np.array([[(part["label"] == label).sum() for label in range(len(part["mean_maps"]))] for part in parts], dtype=np.float64)
        weights = counts / np.maximum(counts.sum(axis=0), 1)
        mean = np.einsum("pc,pchw->chw", weights, np.stack([part[name].astype(np.float64) for part in parts]))
        whole[name] = mean.astype(parts[0][name].dtype)
    return whole | {"rotations": parts[0]["rotations"]}


def as_bytes(maps: np.ndarray, step: int = 1) -> np.ndarray:
    """Attention 0..1 as uint8 0..255, in multiples of ``step``."""
    return np.minimum(step * np.round(255 / step * np.clip(maps, 0, 1)), 255).astype(np.uint8)


def write_maps(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write ``maps.npz``, whole or not at all."""
    write_atomically(path, lambda part: np.savez_compressed(part, **arrays))  # type: ignore[arg-type]


def untrained(settings: Settings, data: Sources, device: str = "cpu") -> Member:
    """A network with the fresh weights of a seed, as a training by these settings would begin with: a control for maps."""
    torch.manual_seed(settings.training.seed)
    prepare = preprocessing(settings.data, architecture(settings.model.name).published_mask, data.recipe.side)
    network = build(settings.model, classes=len(data.classes), blank=prepare.blank, image_side=data.recipe.side)
    made_of = architecture(settings.model.name)
    card = Card(
        model=settings.model.name,
        group=made_of.group_name,
        order=made_of.order,
        weights=sum(weight.numel() for weight in network.parameters()),
        preprocessing=asdict(prepare),
        data=data.name,
        data_md5=data.md5,
        sources={},
        seed=settings.training.seed,
        preset=settings.training.preset,
        precision="float32",
        device="cpu",
        versions={"torch": torch.__version__},
        reason="fresh weights, never trained",
        classes=list(data.classes.names),
        unknown=data.classes.unknown,
        recipe=data.recipe.as_card(),
    )
    return Member(network, replace(card, state="interrupted"), prepare, settings, device)
