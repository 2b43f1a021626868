"""What every form of a convolution between regular fields answers: where it is possible, where it may be quick, what it computes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from equiradio.symmetry.groups import Group


class Shape(NamedTuple):
    """A steerable layer without its weights: from ``fields_in`` to ``fields_out`` regular fields, filters of ``size`` x ``size`` pixels."""

    group: Group
    fields_in: int
    fields_out: int
    size: int

    def __str__(self) -> str:
        return f"{self.group.name} {self.fields_in}->{self.fields_out} {self.size}x{self.size}"


class EmptySky:
    """What a layer is given for an image without a source: what it answers there need not be computed again for every image.

    Attributes
    ----------
    fields : (1, height, width, |G|, fields_in), as they lie in memory.
    """

    def __init__(self, fields: Tensor) -> None:
        self.fields = fields
        self._answer: tuple[Tensor, Tensor | None, Tensor] | None = None

    def is_like(self, images: Tensor) -> bool:
        """May pixels of ``images`` (batch, height, width, |G|, fields_in) be compared with these?"""
        return self.fields.shape[1:] == images.shape[1:] and self.fields.dtype == images.dtype

    def answer(self, prepared: Tensor, finish: Tensor | None, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """What ``compute`` makes of these fields, kept for as long as prepared weights and what follows are the same."""
        before = self._answer
        if before is None or before[0] is not prepared or not _same(before[1], finish):
            before = self._answer = prepared, finish, compute(self.fields)
        return before[2]


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other if one is None or other is None else torch.equal(one, other)


def finished(answer: Tensor, finish: Tensor) -> Tensor:
    """max(0, answer) * scale + shift: see `Form.apply_finished`."""
    scale, shift = finish.to(answer.dtype)[:, :, None, None, None]
    return torch.addcmul(shift, F.relu(answer), scale)


class Layer(Protocol):
    """What a form sees of a `SteerableConvolution`."""

    @property
    def empty_sky(self) -> EmptySky | None:
        """Where the layer was shown one (`equiradio.compute.empty_sky`), else None. A form may use it in evaluation."""

    @property
    def shape(self) -> Shape: ...

    @property
    def weight(self) -> Tensor:
        """(fields_out, fields_in, |G|, B)."""

    def filters(self) -> Tensor:
        """The ordinary convolution filter (|G| * fields_out, |G| * fields_in, size, size)."""


class Norm(Protocol):
    """What a form sees of a `FieldBatchNorm` while a network learns; not ``training``, it has the statistics that it has."""

    training: bool
    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    eps: float

    def __call__(self, fields: Tensor) -> Tensor: ...

    def remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Go on with the running statistics by those of a batch, of ``count`` numbers for each field."""


class Form(ABC):
    """One way to compute a steerable layer; all give the same numbers to rounding.

    A form is a file in this folder (or the module of an entry point in the group ``equiradio.layers.forms``) with an instance in ``FORM``.
    It has no state: what it makes of the weights is kept by the layer.

    Attributes
    ----------
    name : as it is set and recorded.
    limits : the layers that it takes, in words for refusals.
    leaves_out_empty_sky : does it make use of `Layer.empty_sky`, and in training of what `learn` is given?
    finishes : does `apply_finished` save a pass over the fields?
    """

    name: str
    limits: str = "any layer"
    leaves_out_empty_sky: bool = False
    finishes: bool = False

    def possible(self, shape: Shape, device: str, precision: str) -> bool:
        """Can it compute such a layer there? ``device`` is cpu or cuda, ``precision`` float32 or bf16."""
        return True

    def worth_timing(self, shape: Shape, device: str, precision: str) -> bool:
        """May it be the quickest there? Asked where it is possible; what cannot win is not timed."""
        return True

    def likely(self, shape: Shape, device: str, precision: str) -> int:
        """How surely it is the quickest where nothing was timed: the possible form of the largest number is taken; 0 is never."""
        return 0

    def computes_in(self, precision: str) -> str:
        """The precision of its multiply-adds in a network of this precision."""
        return precision

    def answers_in(self, precision: str) -> torch.dtype:
        """The type of its answers in a network of this precision, and of fields that it need not convert."""
        return torch.bfloat16 if precision == "bf16" else torch.float32

    @abstractmethod
    def multiply_adds(self, shape: Shape, pixels: int) -> int:
        """Multiply-adds of one forward pass over an image of so many pixels; transforms are left out."""

    @abstractmethod
    def prepare(self, layer: Layer) -> Tensor:
        """What the form multiplies by, from the layer's weights; in evaluation it is kept for as long as they don't change."""

    @abstractmethod
    def apply(self, layer: Layer, fields: Tensor, prepared: Tensor) -> Tensor:
        """Fields (batch, fields_in, |G|, height, width) -> (batch, fields_out, |G|, height, width).

        In the type of a surrounding autocast or a wider one (see `answers_in`), else in that of the fields.
        """

    def apply_finished(self, layer: Layer, fields: Tensor, prepared: Tensor, finish: Tensor | None) -> Tensor:
        """`apply` without a gradient, and with what follows the layer in evaluation: max(0, answer) * scale + shift.

        ``finish`` : scale and shift of each field, (2, fields_out), as `FieldBatchNorm.finish` has them; None where nothing follows.
        """
        answer = self.apply(layer, fields, prepared)
        return answer if finish is None else finished(answer, finish)

    def learn(self, layer: Layer, fields: Tensor, prepared: Tensor, norm: Norm, lit: Tensor) -> Tensor:
        """norm(relu(`apply`)) in training, where ``lit`` (batch, height, width) says which pixels of the answer see more than empty sky.

        At the others the images have the same fields, made of the same weights. A form may compute them once and add up their gradients:
        those by weights stay as they are, those by the fields of each image do not.
        """
        return norm(F.relu(self.apply(layer, fields, prepared)))

    def __repr__(self) -> str:
        return self.name

    def __deepcopy__(self, memo: dict[int, Any]) -> "Form":
        return self  # a copied layer computes in the same form
