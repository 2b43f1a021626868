"""Which form each steerable layer takes: by measurement, from what was measured before, or by a rule."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from equiradio.artefacts.form_choices import Choice
from equiradio.layers.convolution import SteerableConvolution
from equiradio.layers.forms import Form, Shape, form_of, possible_forms
from equiradio.sky.recipe import MIRABEST

SETTING = "training.layer_form"  # as refusals name it
IMAGES = 2  # a layer is timed with on a CPU, where time grows with their number; on a GPU with a whole batch

Progress = Callable[[str, int, int], object]  # what is being done, how much of it is done, how much there is


class Layered(Protocol):
    """What is asked of a network here; every torch module has it."""

    def __call__(self, images: Tensor) -> Any: ...
    def eval(self) -> Any: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def named_modules(self) -> Iterator[tuple[str, nn.Module]]: ...


@dataclass(frozen=True)
class Case:
    """A layer's shape, and what is asked of it."""

    shape: Shape
    height: int
    width: int
    images: int
    precision: str
    device: str
    training: bool

    def __str__(self) -> str:
        task = "training" if self.training else "answering"
        return f"{self.shape} at {self.height}x{self.width}, {self.images} images, {self.precision}, {self.device}, {task}"

    @property
    def forms(self) -> list[Form]:
        """Those that may win here."""
        asked = self.shape, self.device, self.precision
        return [form for form in possible_forms(*asked) if form.worth_timing(*asked)]

    def measure(self) -> Choice:
        """Time the forms on noise: forward, and backward in training."""
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            group, fields_in, fields_out, size = self.shape
            layer = SteerableConvolution(fields_in, fields_out, group, size).to(self.device)
            layer.train(self.training)
            noise = torch.randn((self.images, self.height, self.width, group.order, fields_in), device=self.device)
            fields = noise.to(torch.bfloat16 if self.precision == "bf16" else torch.float32).permute(0, 4, 3, 1, 2)
            call = self._call(layer, fields.requires_grad_(self.training))
            spent = {}
            for form in self.forms:
                layer.take(form, self.precision)
                spent[form.name] = round(1000 * _seconds(call, self.device), 3)
        return Choice(str(self), min(spent, key=spent.__getitem__), spent)

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


def steerable_layers(network: Layered) -> dict[str, SteerableConvolution]:
    """The layers between regular fields, by name."""
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, SteerableConvolution)}


def _cases(network: Layered, batch: int, precision: str, training: bool, device: str) -> dict[str, Case]:
    """The case of every steerable layer, by its name; nothing is convolved to find out."""
    images = batch if device == "cuda" else min(batch, IMAGES)
    return {name: Case(*shape, images, precision, device, training) for name, shape in _shapes(network).items()}


def _settled(cases: Iterable[Case], cached: Mapping[str, Choice]) -> dict[str, Choice]:
    """The choices of those cases for which there is nothing to time."""
    choices = {}
    for case in cases:
        words, forms = str(case), {form.name for form in case.forms}
        choice = cached.get(words)
        if len(forms) == 1:
            choices[words] = Choice(words, forms.pop())
        elif choice and choice.form in forms and forms <= choice.milliseconds.keys():
            choices[words] = choice
    return choices


def _possible(cases: Iterable[Case], before: Mapping[str, Choice]) -> dict[str, Choice]:
    """The choices of a run that can be taken here; it may come from a machine with a compiler, or with other hardware."""
    possible = {str(case): {form.name for form in possible_forms(case.shape, case.device, case.precision)} for case in cases}
    return {words: choice for words, choice in before.items() if choice.form in possible.get(words, ())}


def _measured(cases: Iterable[Case], progress: Progress) -> dict[str, Choice]:
    """The choices of cases, each measured once however many layers have it."""
    missing, choices = {str(case): case for case in cases}, {}
    for number, (words, case) in enumerate(missing.items()):
        progress("layer shapes", number, len(missing))
        choices[words] = case.measure()
        progress("layer shapes", number + 1, len(missing))
    return choices


def choose_forms(
    network: Layered,
    batch: int,
    precision: str,
    training: bool,
    device: str = "cpu",
    form: str | None = None,
    before: Mapping[str, Choice] | None = None,
    cached: Mapping[str, Choice] | None = None,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Choice]:
    """Give every steerable layer of a network the form that is quickest here; the choices with their timings.

    Parameters
    ----------
    network : any that takes images (batch, 1, 150, 150).
    batch : images that a step will hold.
    precision : float32 or bf16.
    training : are gradients wanted?
    device : cpu or cuda, where the layers are timed.
    form : the name of one, to time nothing and take that form.
    before : choices of this run, by case: taken as they are, but where a form is not possible here.
    cached : choices of this machine, by case: taken where every form that may win was timed, and the one that won is still here.
    progress : called with ("layer shapes", measured, to measure).

    Returns
    -------
    The choice of each layer, by its name.
    """
    if form:
        choices = {name: Choice("pinned", form) for name in steerable_layers(network)}
    else:
        of_layers = _cases(network, batch, precision, training, device)
        by_case = _settled(of_layers.values(), cached or {}) | _possible(of_layers.values(), before or {})
        by_case |= _measured([case for case in of_layers.values() if str(case) not in by_case], progress)
        choices = {name: by_case[str(case)] for name, case in of_layers.items()}
    take(network, {name: choice.form for name, choice in choices.items()}, precision, device)
    return choices


def take(network: Layered, forms: Mapping[str, str], precision: str = "float32", device: str | None = None) -> None:
    """Set the layers' forms, by name of layer; all or none.

    Raises
    ------
    SettingRefusal : there is no such form, or a layer cannot take it in this precision on this device (by default where it is).
    """
    layers = {name: layer for name, layer in steerable_layers(network).items() if name in forms}
    places = {name: device or layer.weight.device.type for name, layer in layers.items()}
    taken = {name: form_of(forms[name], layer.shape, places[name], precision, SETTING) for name, layer in layers.items()}
    for name, form in taken.items():
        layers[name].take(form, precision, places[name])


def by_rule(network: Layered, precision: str = "float32", device: str = "cpu") -> dict[str, str]:
    """The forms to take where nothing was measured, by name of layer."""
    return {name: _likely(layer.shape, device, precision) for name, layer in steerable_layers(network).items()}


def _likely(shape: Shape, device: str, precision: str) -> str:
    forms = possible_forms(shape, device, precision)
    return max(forms, key=lambda form: form.likely(shape, device, precision)).name


@torch.no_grad()
def _shapes(network: Layered) -> dict[str, tuple[Shape, int, int]]:
    """Shape, and height and width of what it is given, of every steerable layer."""
    copied = copy.deepcopy(network)
    copied.eval()
    shapes: dict[str, tuple[Shape, int, int]] = {}
    for name, layer in steerable_layers(copied).items():
        layer.forward = partial(_watched, shapes, name, layer)  # type: ignore[method-assign]
    weight = next(copied.parameters())
    copied(torch.zeros(1, 1, MIRABEST.side, MIRABEST.side, dtype=weight.dtype, device=weight.device))
    return {name: shapes[name] for name in steerable_layers(network)}


def _watched(shapes: dict[str, tuple[Shape, int, int]], name: str, layer: SteerableConvolution, fields: Tensor, *_: object) -> Tensor:
    """In place of a layer's work: note height and width of what it is given, answer zeros of the right shape."""
    shapes[name] = layer.shape, fields.shape[-2], fields.shape[-1]
    return fields.new_zeros(len(fields), layer.fields_out, *fields.shape[2:])
