"""What a source finder would list of a simulated source: Gaussian components, in the columns of PyBDSF's catalogues.

Peaks are looked for in the noise-free picture behind the beam; positions and fluxes are then shifted by the errors that noise makes.
"""

import math
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from equiradio.datasets.simulated_shapes import BEAM_SIGMA
from equiradio.sky.recipe import MIRABEST

PEAK, ISLAND = 5.0, 3.0  # sigma: what a component must reach, and where its pixels end. PyBDSF's thresh_pix and thresh_isl
APART = 5  # pixels of a square in which a peak is the brightest: two closer than a beam are one
FWHM = math.sqrt(8 * math.log(2))
# name, FITS format and unit, as PyBDSF's list of Gaussians has them; a component's errors stand behind its values
COLUMNS = (
    ("Gaus_id", "J", None),
    ("Isl_id", "J", None),
    ("Source_id", "J", None),
    ("RA", "D", "deg"),
    ("E_RA", "D", "deg"),
    ("DEC", "D", "deg"),
    ("E_DEC", "D", "deg"),
    ("Total_flux", "D", "Jy"),
    ("E_Total_flux", "D", "Jy"),
    ("Peak_flux", "D", "Jy/beam"),
    ("E_Peak_flux", "D", "Jy/beam"),
    ("Maj", "D", "deg"),
    ("E_Maj", "D", "deg"),
    ("Min", "D", "deg"),
    ("E_Min", "D", "deg"),
    ("PA", "D", "deg"),
    ("E_PA", "D", "deg"),
    ("Isl_rms", "D", "Jy/beam"),
)
Component = dict[str, float]  # by the names of COLUMNS; RA and DEC are offsets to the east and north in arcsec until they are placed


def components_of(picture: np.ndarray, noise: float, rng: np.random.Generator) -> list[Component]:
    """Components of a source, the brightest first.

    Parameters
    ----------
    picture : (side, side) Jy per beam without noise, north up and east left, pixels of 1.8 arcsec.
    noise : Jy per beam.

    Returns
    -------
    Components with the number of their island within the source as ``Isl_id``, and offsets in arcsec from the middle as ``RA`` and ``DEC``.
    """
    from scipy.ndimage import label, maximum_filter

    islands, _ = label(picture > ISLAND * noise, np.ones((3, 3)))
    tops = _peaks(picture, (picture == maximum_filter(picture, APART)) & (picture > PEAK * noise))
    if not len(tops):
        return []
    lit = np.argwhere(islands > 0)
    away = ((lit[:, None] - tops) ** 2).sum(-1).astype(float)
    away[islands[tuple(lit.T)][:, None] != islands[tuple(tops.T)]] = np.inf
    owner = away.argmin(1)
    return [_component(picture, lit[(owner == k) & np.isfinite(away[:, k])], top, islands, noise, rng) for k, top in enumerate(tops)]


def _peaks(picture: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Rows and columns (n, 2), the brightest first; of pixels that are equally bright side by side one."""
    peaks = np.zeros((0, 2), np.int64)
    for top in sorted(map(tuple, np.argwhere(candidates)), key=lambda top: (-picture[top], top)):
        if not (np.abs(peaks - top).max(1) <= APART // 2).any():
            peaks = np.vstack([peaks, top])
    return peaks


def _component(
    picture: np.ndarray, pixels: np.ndarray, top: np.ndarray, islands: np.ndarray, noise: float, rng: np.random.Generator
) -> Component:
    """The Gaussian of the moments of some pixels (n, 2), with errors. Source: Condon (1997), for bright sources, without factors near 1."""
    weight, scale = picture[tuple(pixels.T)], MIRABEST.scale_arcsec
    middle = (weight[:, None] * pixels).sum(0) / weight.sum()
    offset = pixels - middle
    spread = np.einsum("k,ki,kj->ij", weight, offset, offset) / weight.sum() + 0.05 * np.eye(2)
    values, vectors = np.linalg.eigh(spread)
    major, minor = FWHM * np.sqrt(values[::-1])
    down, across = vectors[:, 1]
    peak, total = float(picture[tuple(top)]), float(weight.sum() / (2 * np.pi * BEAM_SIGMA**2))
    error = noise / peak
    row, column = middle - (len(picture) - 1) / 2 + rng.normal(0, error * major / FWHM, 2)
    factor = 1 + error * rng.normal()
    place = {"RA": -column * scale, "DEC": row * scale, **dict.fromkeys(("E_RA", "E_DEC"), error * major / FWHM * scale / 3600)}
    sizes = {"Maj": major * scale / 3600, "Min": minor * scale / 3600}
    size_errors = {f"E_{name}": error * size for name, size in sizes.items()}
    flux = {"Total_flux": total * factor, "E_Total_flux": error * total, "Peak_flux": peak * factor, "E_Peak_flux": noise}
    turn = min(error * major / max(major - minor, 0.05), math.pi / 2)
    angle = {"PA": math.degrees(math.atan2(-across, down)) % 180, "E_PA": math.degrees(turn)}
    return {**place, **sizes, **size_errors, **flux, **angle, "Isl_rms": noise, "Isl_id": int(islands[tuple(top)])}


class ComponentTable:
    """A FITS table of components that is written as they come, so that memory stays flat: ``with ComponentTable(path) as table``."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.islands = path, 0, 0
        types = {"J": ">i4", "D": ">f8"}
        self.rows = np.dtype([(name, types[form]) for name, form, _ in COLUMNS])

    def __enter__(self) -> "ComponentTable":
        from astropy.io import fits

        self.file = self.path.open("wb")
        self.file.write(fits.PrimaryHDU().header.tostring(padding=True).encode("ascii"))
        self.head = self.file.tell()
        self.file.write(self._header())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.file.write(bytes(-self.file.tell() % 2880))
        self.file.seek(self.head)
        self.file.write(self._header())  # of the same length, since cards are
        self.file.close()

    def add(self, source: int, components: list[Component]) -> None:
        """Add the placed components of a source."""
        rows = np.zeros(len(components), self.rows)
        numbers = {each["Isl_id"]: number for number, each in enumerate({each["Isl_id"]: each for each in components}.values())}
        for row, each in zip(rows, components, strict=True):
            for name in each:
                row[name] = each[name]
            row["Gaus_id"], row["Source_id"], row["Isl_id"] = self.count, source, self.islands + numbers[each["Isl_id"]]
            self.count += 1
        self.islands += len(numbers)
        self.file.write(rows.tobytes())

    def _header(self) -> bytes:
        from astropy.io import fits

        header: Any = fits.BinTableHDU.from_columns(
            [fits.Column(name, form, unit) for name, form, unit in COLUMNS], name="COMPONENTS"
        ).header
        header["NAXIS2"] = self.count
        return bytes(header.tostring(padding=True).encode("ascii"))
