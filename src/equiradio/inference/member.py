"""One trained network with the preprocessing it was trained with."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from equiradio.artefacts.atomic import numbers_hash
from equiradio.artefacts.card import Card
from equiradio.artefacts.weights import load_into, read_weights, refuse_other_weights, restored
from equiradio.compute.device import full_float32
from equiradio.compute.empty_sky import show_empty_sky, would_help
from equiradio.compute.forms import take_likely_forms
from equiradio.compute.memory import keep_large_blocks
from equiradio.compute.poses import Poses, show
from equiradio.compute.preprocess import Preprocessing
from equiradio.errors import RunRefusal
from equiradio.labels import Labels
from equiradio.models.names import architecture, group_of
from equiradio.models.network import Network, Output
from equiradio.models.registry import build
from equiradio.settings import Settings
from equiradio.symmetry.groups import Group

ENOUGH = 2  # images that pay for showing an empty sky: one image in the usual two poses does not


class Member:
    """A trained network.

    Attributes
    ----------
    network : the torch module, in evaluation.
    card : what it is and where it comes from.
    preprocess : from raw pixels to what the network sees.
    settings : that it was trained by.
    """

    def __init__(
        self,
        network: Network,
        card: Card,
        preprocess: Preprocessing,
        settings: Settings,
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        keep_large_blocks()
        self.network: Network = network.to(device).eval()
        self.card, self.preprocess, self.settings, self.precision = card, preprocess, settings, precision
        self.device = torch.device(device)
        self._images = 0  # that it was asked about

    def __repr__(self) -> str:
        return f"Member({self.card.model}, seed {self.card.seed}, classes {self.labels}, {self.device.type}, {self.precision})"

    @property
    def group(self) -> Group | None:
        """The network's symmetry, None for free filters."""
        return group_of(self.card.model)

    @property
    def labels(self) -> Labels:
        """The classes that it distinguishes."""
        return self.card.labels

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 of all weights in use, in the order of their names."""
        return weights_hash([self])

    @property
    def name(self) -> str:
        """Model, seed and the beginning of the hash of its weights."""
        return f"{self.card.model} seed {self.card.seed} {self.weights_hash[:12]}"

    @torch.inference_mode()
    def look(self, images: np.ndarray, poses: Poses | None = None, *, raw: bool = False) -> Output:
        """Logits and attention for raw images uint8 (count, 150, 150), each in its pose where poses are given.

        ``raw`` feeds pixels 0..255 without normalising, the published script's habit where it draws maps.
        """
        self._images += len(images)
        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
        with full_float32(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            if self._images > ENOUGH and not raw and would_help(self.network):  # costs an image, spares half of every later one
                show_empty_sky(self.network, self.preprocess(torch.zeros_like(pixels[:1, None])))
            return self._answer(pixels, poses, raw)

    def _answer(self, pixels: Tensor, poses: Poses | None, raw: bool) -> Output:
        shown = pixels[:, None] if poses is None else show(pixels, poses.matrices().to(self.device))
        return self.network(shown.float() if raw else self.preprocess(shown))

    def with_network(self, network: Network) -> "Member":
        """Another network in this member's place."""
        return Member(network, self.card, self.preprocess, self.settings, self.device.type, self.precision)


def weights_hash(members: "list[Member] | tuple[Member, ...]") -> str:
    """SHA-256 of all weights in use, member by member, in the order of their names."""
    return numbers_hash({name: value.cpu().numpy() for name, value in member.network.state_dict().items()} for member in members)


class Chunk(NamedTuple):
    """Rows start:stop of a longer list."""

    start: int
    stop: int


def chunks(count: int, size: int) -> Iterator[Chunk]:
    """Cut ``count`` rows into pieces of at most ``size``."""
    for start in range(0, count, size):
        yield Chunk(start, min(start + size, count))


def open_member(settings: Settings, card: Card, weights: Path, card_file: Path, device: str, precision: str) -> Member:
    """The network that settings, card and weights describe.

    Raises
    ------
    RunRefusal : weights that are missing, damaged, not finite or of another network, or a card that does not go with them.
    """
    made_of = architecture(settings.model.name)
    state = read_weights(weights, model=made_of.name, group=made_of.group_name)
    if card.model != made_of.name:
        raise RunRefusal(card_file, f"a card of {card.model}", f"one of {made_of.name}, as settings.toml says", "Train anew.")
    try:
        preprocess = Preprocessing(**card.preprocessing)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise RunRefusal(
            card_file, f"preprocessing cannot be read ({error})", "pixel_mean, pixel_std, mask_radius", "Train anew."
        ) from None
    refuse_other_weights(weights, state, card.weights_hash)
    network = build(settings.model, classes=len(card.labels), blank=preprocess.blank, image_side=card.images.side)
    load_into(network, restored(state), weights)
    take_likely_forms(network, settings.training.layer_form, precision, device)
    return Member(network, card, preprocess, settings, device, precision)
