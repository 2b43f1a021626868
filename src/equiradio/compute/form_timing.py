"""Which form each steerable layer takes, dense, Fourier or Winograd: by measurement, from what was measured before, or by a rule."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equiradio.artefacts.forms import Choice
from equiradio.errors import SettingRefusal
from equiradio.layers.convolution import SteerableConvolution
from equiradio.layers.forms import winograd
from equiradio.sky.recipe import MIRABEST
from equiradio.symmetry.groups import Group

LEAST_ORDER = (
    8  # of a group for which the Fourier form, and in bf16 Winograd's, is tried: below, they lose everywhere (docs/performance.md)
)
SURE_ORDER, SURE_RUN = 16, 32  # from here on the Fourier form wins on every machine seen: the rule where nothing was measured
SURE_CHANNELS = 64  # from here on the Winograd form wins in float32 where it is possible
IMAGES = 2  # a layer is timed with on a CPU, where time grows with their number; on a GPU with a whole batch


@dataclass(frozen=True)
class Case:
    """A layer's shape, and what is asked of it."""

    group: Group
    fields_in: int
    fields_out: int
    size: int
    height: int
    width: int
    images: int
    precision: str
    device: str
    training: bool

    def __str__(self) -> str:
        layer = f"{self.group.name} {self.fields_in}->{self.fields_out} {self.size}x{self.size} at {self.height}x{self.width}"
        return f"{layer}, {self.images} images, {self.precision}, {self.device}, {'training' if self.training else 'answering'}"

    @property
    def forms(self) -> tuple[str, ...]:
        """Those that may win here: Fourier in large groups, Winograd on a CPU: in bf16, where it computes in float32, in large groups."""
        fourier = self.group.order >= LEAST_ORDER
        filtering = possible_winograd(self.size, self.device) and (fourier or self.precision == "float32")
        return ("dense", *["fourier"] * fourier, *["winograd"] * filtering)

    def measure(self) -> Choice:
        """Time the forms on noise: forward, and backward in training."""
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            layer = SteerableConvolution(self.fields_in, self.fields_out, self.group, self.size).to(self.device)
            layer.train(self.training)
            shape = (self.images, self.height, self.width, self.group.order, self.fields_in)
            fields = torch.randn(shape, device=self.device).to(torch.bfloat16 if self.precision == "bf16" else torch.float32)
            call = self._call(layer, fields.permute(0, 4, 3, 1, 2).requires_grad_(self.training))
            taken = {}
            for layer.form in self.forms:
                taken[layer.form] = round(1000 * _seconds(call, self.device), 3)
        return Choice(str(self), min(taken, key=taken.__getitem__), **{f"{form}_ms": spent for form, spent in taken.items()})

    def _call(self, layer: SteerableConvolution, fields: Tensor) -> Callable[[], None]:
        def call() -> None:
            with torch.set_grad_enabled(self.training):
                with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
                    answer = layer(fields)
                if self.training:
                    torch.autograd.grad(answer, (fields, layer.weight), torch.ones_like(answer))

        return call


def _seconds(call: Callable[[], None], device: str, rounds: int = 2) -> float:
    """Least time of a call, after one to warm up."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def steerable_layers(network: nn.Module) -> dict[str, SteerableConvolution]:
    """The layers between regular fields, by name."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, SteerableConvolution)}


def plan_forms(
    network: nn.Module,
    batch: int,
    precision: str,
    training: bool,
    device: str = "cpu",
    pin: str | None = None,
    known: Mapping[str, Choice] | None = None,
    progress: Callable[[str, int, int], object] = lambda what, done, total: None,
) -> dict[str, Choice]:
    """Give every steerable layer of a network the form that is quicker here, and tell why.

    Parameters
    ----------
    network : any that takes images (batch, 1, 150, 150).
    batch : images that a step will hold.
    precision : float32 or bf16.
    training : are gradients wanted?
    device : cpu or cuda, where the layers are timed.
    pin : dense, fourier or winograd, to time nothing and take that form.
    known : choices made before, by case: taken as they are.
    progress : called with ("layer shapes", measured, to measure).

    Returns
    -------
    The choice of each layer, by its name.
    """
    if pin:
        choices = {name: Choice("pinned", pin) for name in steerable_layers(network)}
    else:
        images = batch if device == "cuda" else min(batch, IMAGES)
        cases = {name: Case(*shape, images, precision, device, training) for name, shape in _shapes(network).items()}
        settled = {str(case): Choice(str(case), "dense") for case in cases.values() if case.forms == ("dense",)}
        found = settled | dict(known or {})
        unknown = {str(case): case for case in cases.values() if str(case) not in found}
        for number, (words, case) in enumerate(unknown.items()):
            progress("layer shapes", number, len(unknown))
            found[words] = case.measure()
            progress("layer shapes", number + 1, len(unknown))
        choices = {name: found[str(case)] for name, case in cases.items()}
    take(network, {name: choice.form for name, choice in choices.items()})
    return choices


def take(network: nn.Module, forms: Mapping[str, str]) -> None:
    """Set the layers' forms, by name.

    Raises
    ------
    SettingRefusal : the Winograd form for filters that it does not take.
    """
    for name, layer in steerable_layers(network).items():
        form = forms.get(name, layer.form)
        if form == "winograd" and layer.size not in winograd.SIZES:
            found = f"winograd for filters of {layer.size} pixels"
            raise SettingRefusal("training.layer_form", found, "filters of 3 or 5 pixels", "Take auto, dense or fourier.")
        layer.form = form


def possible_winograd(size: int, device: str) -> bool:
    """The Winograd form is one for CPUs: a GPU's library chooses for itself."""
    return size in winograd.SIZES and device == "cpu"


def by_rule(network: nn.Module, precision: str = "float32", device: str = "cpu") -> dict[str, str]:
    """The forms to take where nothing was measured: Fourier for large groups and many fields, else Winograd for many channels."""
    return {name: _likely(layer, precision, device) for name, layer in steerable_layers(network).items()}


def _likely(layer: SteerableConvolution, precision: str, device: str) -> str:
    copies = 2 if layer.group.mirrored else 1
    if layer.group.order >= SURE_ORDER and copies * layer.fields_in >= SURE_RUN:
        return "fourier"
    wide = precision == "float32" and layer.group.order * min(layer.fields_in, layer.fields_out) >= SURE_CHANNELS
    return "winograd" if wide and possible_winograd(layer.size, device) else "dense"


class _Watcher(nn.Module):
    """In a steerable layer's place: learns the height and width of what it is given, answers nought."""

    def __init__(self, layer: SteerableConvolution) -> None:
        super().__init__()
        self.layer, self.side = layer, (0, 0)

    def forward(self, fields: Tensor) -> Tensor:
        self.side = fields.shape[-2], fields.shape[-1]
        return fields.new_zeros(len(fields), self.layer.fields_out, *fields.shape[2:])


@torch.no_grad()
def _shapes(network: nn.Module) -> dict[str, tuple[Group, int, int, int, int, int]]:
    """Group, fields in and out, filter side, height and width of every steerable layer; nothing is convolved to find out."""
    copied = copy.deepcopy(network).eval()
    watchers = {name: _Watcher(layer) for name, layer in steerable_layers(copied).items()}
    for name, watcher in watchers.items():
        copied.set_submodule(name, watcher)
    weight = next(copied.parameters())
    copied(torch.zeros(1, 1, MIRABEST.side, MIRABEST.side, dtype=weight.dtype, device=weight.device))
    return {
        name: (seen.layer.group, seen.layer.fields_in, seen.layer.fields_out, seen.layer.size, *seen.side)
        for name, seen in watchers.items()
    }
