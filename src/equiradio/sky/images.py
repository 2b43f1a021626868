"""What files give and networks get: an image of the sky, and a cutout of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from equiradio.sky.beams import Beam, GivenBeam
from equiradio.sky.recipe import MIRABEST
from equiradio.sky.shape import Picture, Shape, measured, noise_of_form
from equiradio.sky.stored import Pixels


@dataclass(frozen=True)
class SkyImage:
    """One plane of an image file.

    Attributes
    ----------
    name, hdu : the user's name for the file, and which HDU.
    pixels : float32 (height, width), physical values; of a `Mosaic` they stay in its file until a part is asked for.
    wcs : astropy's, two celestial axes in the file's own frame; None where there is none.
    beam : None where the file does not say.
    unit : BUNIT, or UNITS, as it stands, or empty.
    flags : quality flags that the header earned.
    about : cards that products keep: OBJECT, TELESCOP, DATE-OBS, RESTFRQ, ...
    frequency_hz : None where the file does not say.
    """

    name: str
    hdu: int
    pixels: Pixels
    wcs: Any = None
    beam: Beam | None = None
    unit: str = ""
    flags: frozenset[str] = frozenset()
    about: Mapping[str, Any] = field(default_factory=dict)
    frequency_hz: float | None = None

    def with_beam(self, given: GivenBeam | None) -> "SkyImage":
        """The same with a beam that is given (`Beam.of`), where the file states none."""
        beam = None if given is None else Beam.of(given)
        return self if beam is None or self.beam is not None else replace(self, beam=beam)


@dataclass(frozen=True)
class Cutout:
    """What a network is shown.

    Attributes
    ----------
    image : uint8 (150, 150), raw MiraBest pixels.
    pixels : float32 (150, 150), the same pixels in physical units; None for pictures that come in MiraBest form.
    wcs : of these 150 x 150 pixels, or None.
    ra_deg, dec_deg : ICRS of the crop's centre, nan where unknown.
    flags : names of quality flags (`equiradio.artefacts.flags`).
    beam : in the crop's frame; None where unknown.
    resampled : how the pixels were brought to 1.8 arcsec, in words; empty where they were taken as they are.
    about : as in `SkyImage`.
    padded : share of the pixels, 0..1, that lie beyond the file's field and were filled with empty sky.
    noise : of ``pixels``, by which the recipe clips; nan where unknown.
    pixel_arcsec : side of a pixel; None where unknown.
    measurable : can a shape be measured? Not in a picture whose grey levels do not say what the noise was.
    file_pixel_arcsec : longer side of a pixel of the file, before any resampling; None where unknown.
    """

    name: str
    hdu: int
    image: np.ndarray
    pixels: np.ndarray | None = None
    wcs: Any = None
    ra_deg: float = math.nan
    dec_deg: float = math.nan
    unit: str = ""
    flags: frozenset[str] = field(default_factory=frozenset)
    beam: Beam | None = None
    resampled: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    padded: float = 0.0
    noise: float = math.nan
    pixel_arcsec: float | None = None
    measurable: bool = True
    file_pixel_arcsec: float | None = None

    @property
    def ellipse(self) -> tuple[float, float, float] | None:
        """The beam's major and minor axis in arcsec, and its position angle in degrees in the crop's frame; None where unknown."""
        return None if self.beam is None else self.beam.ellipse

    @cached_property
    def shape(self) -> Shape:
        """Shape of the source, measured when it is first asked for."""
        if not self.measurable:
            return Shape()
        if self.pixels is None:
            return measured(Picture(self.image, noise_of_form(self.image), "", self.pixel_arcsec, self.beam))
        return measured(Picture(self.pixels, self.noise, self.unit, self.pixel_arcsec, self.beam))

    @property
    def doubts(self) -> frozenset[str]:
        """Flags that its shape earns: ``not_detected`` where no island stands out, ``off_target`` where none is the target's.

        A target is among its islands, or within a beam of them: so are 99.6 % of MiraBest's, whatever their shape.
        """
        if self.shape.islands == 0:
            return frozenset({"not_detected"})
        beam = MIRABEST.beam_arcsec if self.beam is None else max(MIRABEST.beam_arcsec, self.beam.major)
        return frozenset({"off_target"} if (self.shape.offset_arcsec or 0.0) > beam else ())
