"""What every network here is: a module with a group that answers with an `Output`, and can be asked how it came to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from equiradio.symmetry.groups import Group


class Output(NamedTuple):
    """What a network answers.

    logits : (batch, classes).
    attention : one map (batch, 1, h, w) per gate, shallow to deep; none for networks without gates.
    heads : what each gate's own linear layer says, (batch, classes) each; empty where there is none.
    vectors : what the last layers decide from: attended features (batch, c) of each gate, or a LeNet's last hidden vector.
    attended : the maps (batch, c, h, w) that the gates weigh, pooled over the group; none for networks without gates.
    """

    logits: Tensor
    attention: list[Tensor]
    heads: list[Tensor]
    vectors: list[Tensor]
    attended: list[Tensor]

    @property
    def features(self) -> Tensor:
        """The vectors joined, (batch, features), float32 or better; they do not change when the sky turns."""
        return torch.cat([vector.to(torch.promote_types(vector.dtype, torch.float32)) for vector in self.vectors], 1)


class Readings(NamedTuple):
    """How linear heads read attended features: logits = constant + sum over gates and pixels of attention times vector . features.

    vectors : for each gate (classes, channels), in float64. constant : (classes,).
    """

    vectors: list[Tensor]
    constant: Tensor


class Network(Protocol):
    """A network of the registry.

    Attributes
    ----------
    group : the symmetry, None for free filters.
    image_side : pixels of an image's side.
    side : pixels of the padded sky; a multiple of 8 keeps quarter turns exact through three poolings.
    gate_count : attention gates; 0 for networks that attend to nothing.
    """

    group: Group | None
    image_side: int
    side: int
    gate_count: int

    def __call__(self, images: Tensor) -> Output:
        """Normalised images (batch, 1, 150, 150) -> what the network answers."""

    @property
    def anchored(self) -> bool:
        """Are the gates' maps 0 wherever a gate sees what an empty sky would show it?"""

    def decide(self, vectors: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Logits and heads from an output's ``vectors``."""

    def readings(self) -> Readings:
        """How the heads read the features.

        Raises
        ------
        SettingRefusal : the logits are no sum over pixels (no gates, or a ReLU behind the heads).
        """

    def read_by(self, weight: Tensor, constant: Tensor) -> None:
        """Set the last layers so that logits = constant (classes,) + weight (classes, features) . features of an `Output`.

        Raises
        ------
        SettingRefusal : a ReLU stands behind the heads.
        """

    def pixel_weight(self, pixels: int) -> float:
        """What one of ``pixels`` attended pixels counts for in the vectors: 1 for a sum, a constant over ``pixels`` for a mean."""

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """The output of every layer, pooled over the group, by a name that a page can show."""

    def layer(self, name: str) -> nn.Module:
        """A part of the network, by a name of `parts` or `body`."""

    @property
    def body(self) -> Sequence[str]:
        """Names of the parts that make features of images: all before gates and heads."""

    @property
    def last(self) -> str:
        """Name of what tells the classes apart, whose weights have a shape that goes by their number."""

    @property
    def parts(self) -> Sequence[str]:
        """Names of the parts that hold weights, from the image to the answer, as the names of the weights begin."""

    def export(self) -> "Network":
        """The same network with ordinary convolutions: the same numbers, no filter left to be made."""

    # what every torch module has
    training: bool

    def eval(self) -> Any: ...
    def train(self, mode: bool = True) -> Any: ...
    def to(self, *args: Any, **kwargs: Any) -> Any: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def modules(self) -> Iterator[nn.Module]: ...
    def named_modules(self) -> Iterator[tuple[str, nn.Module]]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...
