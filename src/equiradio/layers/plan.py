"""Which form each steerable layer takes, dense or Fourier: by measurement, from what was measured before, or by a rule."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from equiradio.layers.convolution import SteerableConvolution
from equiradio.symmetry.groups import Group

FORMS = ("dense", "fourier")
LEAST_ORDER = 8  # below, the dense form wins everywhere (docs/performance.md): not measured
SURE_ORDER, SURE_RUN = 16, 32  # from here on the Fourier form wins on every machine seen: the rule where nothing was measured
IMAGES = 2  # a layer is timed with on a CPU, where time grows with their number; on a GPU with a whole batch


@dataclass(frozen=True)
class Choice:
    """What was measured of one case (milliseconds for all its images; None where it was not measured) and the form taken."""

    case: str
    form: str
    dense_ms: float | None = None
    fourier_ms: float | None = None


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

    def measure(self) -> Choice:
        """Time both forms on noise: forward, and backward in training."""
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            layer = SteerableConvolution(self.fields_in, self.fields_out, self.group, self.size).to(self.device)
            layer.train(self.training)
            shape = (self.images, self.height, self.width, self.group.order, self.fields_in)
            fields = torch.randn(shape, device=self.device).to(torch.bfloat16 if self.precision == "bf16" else torch.float32)
            call = self._call(layer, fields.permute(0, 4, 3, 1, 2).requires_grad_(self.training))
            taken = {}
            for layer.form in FORMS:
                taken[layer.form] = round(1000 * _seconds(call, self.device), 3)
        return Choice(str(self), min(taken, key=taken.__getitem__), taken["dense"], taken["fourier"])

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
    side: int = 150,
) -> dict[str, Choice]:
    """Give every steerable layer of a network the form that is quicker here, and tell why.

    Parameters
    ----------
    network : shown one empty image (1, 1, side, side) to learn its layers' shapes.
    batch : images that a step will hold.
    precision : float32 or bf16.
    training : are gradients wanted?
    device : cpu or cuda, where the layers are timed.
    pin : dense or fourier, to time nothing and take that form.
    known : choices made before, by case: taken as they are.

    Returns
    -------
    The choice of each layer, by its name.
    """
    layers = steerable_layers(network)
    if pin:
        choices = {name: Choice("pinned", pin) for name in layers}
    else:
        images, found = (batch if device == "cuda" else min(batch, IMAGES)), dict(known or {})
        choices = {}
        for name, (height, width) in _sides(network, layers, side).items():
            layer = layers[name]
            case = Case(layer.group, layer.fields_in, layer.fields_out, layer.size, height, width, images, precision, device, training)
            if str(case) not in found:
                small = layer.group.order < LEAST_ORDER
                found[str(case)] = Choice(str(case), "dense") if small else case.measure()
            choices[name] = found[str(case)]
    take(network, {name: choice.form for name, choice in choices.items()})
    return choices


def take(network: nn.Module, forms: Mapping[str, str]) -> None:
    """Set the layers' forms, by name."""
    for name, layer in steerable_layers(network).items():
        layer.form = forms.get(name, layer.form)


def by_rule(network: nn.Module) -> dict[str, str]:
    """The forms to take where nothing was measured: Fourier for large groups and many fields."""
    layers = steerable_layers(network)
    return {name: "fourier" if _surely(layer) else "dense" for name, layer in layers.items()}


def _surely(layer: SteerableConvolution) -> bool:
    copies = 2 if layer.group.mirrored else 1
    return layer.group.order >= SURE_ORDER and copies * layer.fields_in >= SURE_RUN


@torch.no_grad()
def _sides(network: nn.Module, layers: Mapping[str, SteerableConvolution], side: int) -> dict[str, tuple[int, int]]:
    """Height and width of what every steerable layer is given."""
    if all(layer.group.order < LEAST_ORDER for layer in layers.values()):
        return dict.fromkeys(layers, (0, 0))
    sides: dict[str, tuple[int, int]] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def see(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            sides[name] = (given[0].shape[-2], given[0].shape[-1])

        return see

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    was_training = network.training
    try:
        weight = next(network.parameters())
        network.eval()(torch.zeros(1, 1, side, side, dtype=weight.dtype, device=weight.device))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return sides


def to_rows(choices: Mapping[str, Choice]) -> dict[str, dict]:
    """Choices as JSON has them."""
    return {name: asdict(choice) for name, choice in choices.items()}
