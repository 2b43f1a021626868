"""All models by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from equiradio.errors import ModelRefusal, nearest
from equiradio.models.gated import WIDTHS, GatedNet
from equiradio.models.lenet import EquivariantLeNet, LeNet
from equiradio.settings import DataSettings, ModelSettings
from equiradio.symmetry.groups import BUILT, Group, parse_group

TABLE1 = ("lenet", "attention", "c4-attention", "c8-attention", "c16-attention", "d4-attention", "d8-attention", "d16-attention")
WIDE = tuple(4 * width for width in WIDTHS)  # the channels of c4-attention

Builder = Callable[[ModelSettings, float], nn.Module]


def _gated(group: Group | None, widths: tuple[int, ...] = WIDTHS) -> Builder:
    return lambda settings, blank: GatedNet(settings, group, blank, widths)


def _clean(group: Group) -> Builder:
    """The gated network with antialiased downsampling, whatever the settings say: less residue in its maps (docs/explain.md)."""
    return lambda settings, blank: GatedNet(replace(settings, downsampling="antialiased"), group, blank)


def _equivariant_lenet(group: Group) -> Builder:
    return lambda settings, blank: EquivariantLeNet(group, settings.dropout, settings.kernel_size)


MODELS: dict[str, Builder] = {
    "lenet": lambda settings, blank: LeNet(settings.dropout, settings.kernel_size),
    "attention": _gated(None),
    "attention-wide": _gated(None, WIDE),
    **{f"{name.lower()}-attention": _gated(parse_group(name)) for name in BUILT},
    **{f"{name.lower()}-attention-clean": _clean(parse_group(name)) for name in BUILT},
    **{f"{name.lower()}-lenet": _equivariant_lenet(parse_group(name)) for name in BUILT},
}


def check_name(name: str) -> str:
    """The name, if it is a model's.

    Raises
    ------
    ModelRefusal : it is not; says which is nearest.
    """
    if name not in MODELS:
        group, _, kind = name.partition("-")
        if kind in ("attention", "attention-clean", "lenet") and group[:1] in "cd" and group[1:].isdigit():
            parse_group(group)  # refuses, naming the nearest groups
        raise ModelRefusal("model", f"'{name}' is not a model", ", ".join((*TABLE1, "attention-wide")), nearest(name, list(MODELS)))
    return name


def group_of(name: str) -> Group | None:
    """The symmetry group of a model, None for the plain ones."""
    group = check_name(name).partition("-")[0]
    return parse_group(group) if group.upper() in BUILT else None


def build(model: str | ModelSettings, *, blank: float | None = None, **changes: Any) -> nn.Module:
    """A network with fresh weights.

    Parameters
    ----------
    model : a name, or settings that carry one.
    blank : value of an empty pixel after normalisation; by default that of the MiraBest recipe, -mean / standard deviation.
    changes : fields of `ModelSettings` to change, for example ``gates=0``.
    """
    settings = ModelSettings(name=model, **changes) if isinstance(model, str) else replace(model, **changes)
    if blank is None:
        blank = -DataSettings().pixel_mean / DataSettings().pixel_std
    return MODELS[check_name(settings.name)](settings, blank)
