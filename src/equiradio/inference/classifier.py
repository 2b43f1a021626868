"""A trained network, opened from its run folder and asked about images."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from equiradio.artefacts.card import Card
from equiradio.artefacts.run import Run
from equiradio.artefacts.weights import load_into, read_weights
from equiradio.data.augment import Poses, show
from equiradio.data.preprocess import Preprocessing
from equiradio.errors import RunRefusal
from equiradio.inference.forms import take_likely_forms
from equiradio.layers.memory import keep_large_blocks
from equiradio.models.gated import Output
from equiradio.models.registry import build, group_of
from equiradio.symmetry.groups import Group


class Classifier:
    """A trained network with the preprocessing it was trained with.

    Attributes
    ----------
    network : the torch module, in evaluation.
    card : what it is and where it comes from.
    preprocess : from raw pixels to what the network sees.
    """

    def __init__(self, network: nn.Module, card: Card, preprocess: Preprocessing, device: str = "cpu", precision: str = "float32") -> None:
        keep_large_blocks()
        self.precision = precision
        self.network, self.card, self.preprocess = network.to(device).eval(), card, preprocess
        self.device = torch.device(device)

    @property
    def group(self) -> Group | None:
        """The network's symmetry, None for free filters."""
        return group_of(self.card.model)

    @torch.inference_mode()
    def look(self, images: np.ndarray, poses: Poses | None = None, *, raw: bool = False) -> Output:
        """Logits and attention for raw images uint8 (count, 150, 150), each in its pose where poses are given.

        ``raw`` feeds pixels 0..255 without normalising, the published script's habit where it draws maps.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
        shown = pixels[:, None] if poses is None else show(pixels, poses.matrices().to(self.device))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.network(shown.float() if raw else self.preprocess(shown))


class Chunk(NamedTuple):
    """Rows start:stop of a longer list."""

    start: int
    stop: int


def chunks(count: int, size: int) -> Iterator[Chunk]:
    """Cut ``count`` rows into pieces of at most ``size``."""
    for start in range(0, count, size):
        yield Chunk(start, min(start + size, count))


def load(name_or_run: str | Path, device: str = "cpu", precision: str = "float32") -> Classifier:
    """Open the trained network in a run folder.

    Parameters
    ----------
    name_or_run : the folder that ``equiradio train`` wrote.
    device : cpu or cuda.
    precision : float32, or bf16 for speed at some cost in digits.

    Raises
    ------
    RunRefusal : no run there, or one without whole weights.
    """
    run = Run(Path(name_or_run))
    if not run.folder.is_dir():
        found = "a file" if run.folder.exists() else "no such folder"
        raise RunRefusal(run.folder, found, "the folder of a training", "Train first, or correct the path.")
    settings, card = run.settings(), run.card()
    group = group_of(settings.model.name)
    state = read_weights(run.weights_file, model=settings.model.name, group=group.name if group else "none")
    if card.model != settings.model.name:
        raise RunRefusal(run.card_file, f"a card of {card.model}", f"one of {settings.model.name}, as settings.toml says", "Train anew.")
    try:
        preprocess = Preprocessing(**card.preprocessing)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise RunRefusal(
            run.card_file, f"preprocessing cannot be read ({error})", "pixel_mean, pixel_std, mask_radius", "Train anew."
        ) from None
    network = build(settings.model, blank=preprocess.blank)
    load_into(network, {name: _restored(value) for name, value in state.items()}, run.weights_file)
    take_likely_forms(network, settings.training.layer_form, precision, device)
    return Classifier(network, card, preprocess, device, precision)


def _restored(value: Tensor) -> Tensor:
    return value.float() if value.dtype == torch.float16 else value  # float16 on disk, float32 in use
