"""From raw pixels to what a network sees. Frozen at training and stored in the card, so that training and inference cannot differ."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from equiradio.settings import DataSettings
from equiradio.sky.recipe import MIRABEST


@dataclass(frozen=True)
class Preprocessing:
    """Masking and normalising of images.

    Attributes
    ----------
    pixel_mean, pixel_std : of pixel / 255, as published for MiraBest.
    mask_radius : pixels from the centre beyond which the sky is raw zero; None for no mask.
    """

    pixel_mean: float
    pixel_std: float
    mask_radius: float | None

    def __post_init__(self) -> None:
        numbers = [self.pixel_mean, self.pixel_std, *([] if self.mask_radius is None else [self.mask_radius])]
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError(f"{numbers} are not all finite numbers")
        if self.pixel_std <= 0 or (self.mask_radius is not None and self.mask_radius <= 0):
            raise ValueError(f"pixel_std {self.pixel_std}, mask_radius {self.mask_radius}")

    @property
    def blank(self) -> float:
        """Value of an empty pixel after normalisation."""
        return -self.pixel_mean / self.pixel_std

    def __call__(self, raw: Tensor) -> Tensor:
        """Raw pixels 0..255 (batch, 1, height, width), any type -> normalised, float32 or better."""
        sky = raw.to(torch.promote_types(raw.dtype, torch.float32)) / 255
        if self.mask_radius is not None:
            sky = sky * circle(sky.shape[-1], self.mask_radius, sky.device)
        return (sky - self.pixel_mean) / self.pixel_std


def circle(side: int, radius: float, device: torch.device | None = None) -> Tensor:
    """True inside the circle of ``radius`` pixels around the image's centre (side, side)."""
    offset = torch.arange(side, device=device) - (side - 1) / 2
    return torch.hypot(offset[:, None], offset[None, :]) <= radius


def normalised_by(data: DataSettings, images: np.ndarray) -> DataSettings:
    """Settings with mean and standard deviation of these images uint8 (count, side, side), where they have MiraBest's; others stay."""
    usual = DataSettings()
    if not len(images) or (data.pixel_mean, data.pixel_std) != (usual.pixel_mean, usual.pixel_std):
        return data
    return replace(data, pixel_mean=round(float(images.mean()) / 255, 6), pixel_std=max(round(float(images.std()) / 255, 6), 1e-6))


def preprocessing(data: DataSettings, published_mask: int | None, side: int = MIRABEST.side) -> Preprocessing:
    """The preprocessing that the settings ask for.

    ``published_mask`` : pixels by which the paper's code made the circle smaller for the model at hand (`Architecture.published_mask`);
    None where it used no mask. ``side`` : of the images, pixels.
    """
    radius: float | None = None
    if data.mask == "circle":
        radius = side / 2
    elif data.mask == "published" and published_mask is not None:
        radius = side / 2 - published_mask
    return Preprocessing(data.pixel_mean, data.pixel_std, radius)
