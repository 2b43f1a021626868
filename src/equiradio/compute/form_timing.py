"""Which form each steerable layer takes: by measurement, from what was measured before, or by a rule."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from equiradio.artefacts.form_choices import Choice
from equiradio.layers.convolution import SteerableConvolution
from equiradio.layers.finishing import activated
from equiradio.layers.forms import EmptySky, Form, Shape, form_of, possible_forms
from equiradio.layers.lit import MOST_LIT, seen
from equiradio.layers.normalisation import FieldBatchNorm
from equiradio.sky.recipe import MIRABEST

SETTING = "training.layer_form"  # as refusals name it
IMAGES = 2  # a layer is timed with on a CPU, where time grows with their number; on a GPU with a whole batch
MANY = 16  # with which a form is timed that computes what they have in common once
ISLANDS, ISLAND = 19, 4  # lit places of an image, and pixels along a side of one: layers then see as much as on MiraBest's images

Progress = Callable[[str, int, int], object]  # what is being done, how much of it is done, how much there is


class Layered(Protocol):
    """What is asked of a network here; every torch module has it."""

    def __call__(self, images: Tensor) -> Any: ...
    def eval(self) -> Any: ...
    def train(self) -> Any: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def named_modules(self) -> Iterator[tuple[str, nn.Module]]: ...


@dataclass(frozen=True)
class Case:
    """A layer's shape, and what is asked of it.

    ``lit`` : where a form may leave out empty sky, which pixels of its answer see more (images, height, width); else None.
    """

    shape: Shape
    height: int
    width: int
    images: int
    precision: str
    device: str
    training: bool
    lit: Tensor | None = field(default=None, compare=False)

    def __str__(self) -> str:
        task = "training" if self.training else "answering"
        sky = "" if self.lit is None else f", {len(self.lit)} at a time with {100 * float(self.lit.float().mean()):.0f} % lit"
        return f"{self.shape} at {self.height}x{self.width}, {self.images} images, {self.precision}, {self.device}, {task}{sky}"

    @property
    def forms(self) -> list[Form]:
        """Those that may win here."""
        asked = self.shape, self.device, self.precision
        return [form for form in possible_forms(*asked) if form.worth_timing(*asked)]

    def measure(self) -> Choice:
        """Time the forms on noise, through ReLU and batch norm; in training backward too.

        With as much empty sky as is usual, where a form leaves it out.
        """
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            group, fields_in, fields_out, size = self.shape
            layer = SteerableConvolution(fields_in, fields_out, group, size).to(self.device)
            layer.train(self.training)
            norm = FieldBatchNorm(fields_out).to(self.device).train(self.training)
            spent = {}
            for form in self.forms:
                layer.take(form, self.precision)
                lit = self.lit if form.leaves_out_empty_sky else None
                images = self.images if lit is None else len(lit)
                fields = self._noise(images, form)
                if lit is not None and not self.training:
                    fields = _on_empty_sky(layer, fields, lit)
                seconds = _seconds(self._call(layer, norm, fields, lit), self.device)
                layer.empty_sky = None
                spent[form.name] = round(1000 * seconds * self.images / images, 3)
        return Choice(str(self), min(spent, key=spent.__getitem__), spent)

    def _noise(self, images: int, form: Form) -> Tensor:
        group, fields_in, _, _ = self.shape
        noise = torch.randn((images, self.height, self.width, group.order, fields_in), device=self.device)
        fields = noise.to(form.answers_in(self.precision)).permute(0, 4, 3, 1, 2)
        return fields.requires_grad_(self.training)

    def _call(self, layer: SteerableConvolution, norm: FieldBatchNorm, fields: Tensor, lit: Tensor | None) -> Callable[[], None]:
        def call() -> None:
            with torch.set_grad_enabled(self.training):
                with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
                    answer = activated(layer, norm, fields, lit)
                if self.training:
                    torch.autograd.grad(answer, (fields, layer.weight), torch.ones_like(answer))

        return call


def _on_empty_sky(layer: SteerableConvolution, fields: Tensor, lit: Tensor) -> Tensor:
    """Show a layer an empty sky, and make fields of it of which the layer's answer is lit where ``lit`` says so."""
    layer.empty_sky = EmptySky(fields[:1].permute(0, 3, 4, 2, 1).contiguous())
    given = ~seen(~lit, layer.size)  # whose windows reach no further
    return torch.where(given[:, None, None], fields + 1, fields[:1])


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
    leaving_out = _leaving_out(network, precision, device) if batch > 1 else {}
    cases = {}
    for name, (shape, height, width, lit) in _shapes(network, leaving_out).items():
        some = lit is not None and name in leaving_out and float(lit.float().mean()) <= MOST_LIT
        sky = shifted(lit[0], min(batch, MANY)) if lit is not None and some else None
        cases[name] = Case(shape, height, width, images, precision, device, training, sky)
    return cases


def _leaving_out(network: Layered, precision: str, device: str) -> dict[str, Form]:
    """A form that leaves out empty sky, by name of layer, of those that can take one."""
    forms = {name: possible_forms(layer.shape, device, precision) for name, layer in steerable_layers(network).items()}
    return {name: form for name, some in forms.items() for form in some if form.leaves_out_empty_sky}


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
    network : any that takes images (batch, 1, image_side, image_side).
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


class _Seen(NamedTuple):
    """What a layer is given: its shape, height and width, and where the network says so which pixels of the answer are lit."""

    shape: Shape
    height: int
    width: int
    lit: Tensor | None


def _shapes(network: Layered, leaving_out: Mapping[str, Form]) -> dict[str, _Seen]:
    """What every steerable layer is given; as in training where some are to leave out empty sky, for there layers hear of it."""
    copied = copy.deepcopy(network)
    copied.train() if leaving_out else copied.eval()
    shapes: dict[str, _Seen] = {}
    for name, layer in steerable_layers(copied).items():
        if name in leaving_out:
            layer.take(leaving_out[name])
        layer.forward = layer.learn = partial(_watched, shapes, name, layer)  # type: ignore[method-assign]
    weight = next(copied.parameters())
    with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(bool(leaving_out)):
        image = islands(getattr(network, "image_side", MIRABEST.side)) + getattr(network, "blank", 0)
        copied(image.to(weight.device, weight.dtype))
    return {name: shapes[name] for name in steerable_layers(network)}


def islands(side: int = MIRABEST.side) -> Tensor:
    """An image (1, 1, side, side) that is 1 in some places and 0 elsewhere; always the same."""
    image = torch.zeros(1, 1, side, side)
    places = torch.randint(0, side - ISLAND, (ISLANDS, 2), generator=torch.Generator().manual_seed(0))
    for row, column in places.tolist():
        image[..., row : row + ISLAND, column : column + ISLAND] = 1
    return image


def shifted(lit: Tensor, count: int) -> Tensor:
    """Pixels (height, width) of one image -> of so many (count, height, width), each moved by as much against the one before."""
    height, width = lit.shape
    return torch.stack([lit.roll((image * height // count, image * 3 * width // count), (0, 1)) for image in range(count)])


def _watched(
    shapes: dict[str, _Seen], name: str, layer: SteerableConvolution, fields: Tensor, _: Any = None, lit: Tensor | None = None
) -> Tensor:
    """In place of a layer's work, in answering or in training: note what it is given, answer zeros of the right shape.

    Behind the image an anchored network has an empty one.
    """
    shapes[name] = _Seen(layer.shape, fields.shape[-2], fields.shape[-1], None if lit is None else lit[:1])
    return fields.new_zeros(len(fields), layer.fields_out, *fields.shape[2:])
