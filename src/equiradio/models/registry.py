"""Networks with fresh weights, from settings."""

from dataclasses import replace
from typing import Any

from equiradio.models.gated import GatedNet
from equiradio.models.lenet import EquivariantLeNet, LeNet
from equiradio.models.names import architecture
from equiradio.models.network import Network
from equiradio.settings import DataSettings, ModelSettings, as_named
from equiradio.sky.recipe import MIRABEST


def build(
    model: str | ModelSettings, *, classes: int = 2, blank: float | None = None, image_side: int = MIRABEST.side, **changes: Any
) -> Network:
    """A network with fresh weights.

    Parameters
    ----------
    model : a name, or settings that carry one.
    classes : how many the heads tell apart.
    blank : value of an empty pixel after normalisation; by default that of the MiraBest recipe, -mean / standard deviation.
    image_side : pixels of an image's side.
    changes : fields of `ModelSettings` to change, for example ``gates=0``.
    """
    settings = ModelSettings(name=model, **changes) if isinstance(model, str) else replace(model, **changes)
    if blank is None:
        blank = -DataSettings().pixel_mean / DataSettings().pixel_std
    made_of = architecture(settings.name)
    if made_of.gated:
        return GatedNet(as_named(settings), made_of.group, blank, made_of.widths, classes, image_side)
    if made_of.group:
        return EquivariantLeNet(made_of.group, settings.dropout, settings.kernel_size, classes, image_side)
    return LeNet(settings.dropout, settings.kernel_size, classes, image_side)
