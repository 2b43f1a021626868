"""The embedded data set `simulated`: seeded FRI and FRII radio galaxies as FIRST would see them, with truth masks.

Sizes, peaks and noise imitate the MiraBest sources; both classes draw them from the same distributions, so that neither size nor brightness
gives a class away. Images go through the recipe of MiraBest: 3-sigma threshold, 150 x 150 crop, stretch to 0..255, truncation.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equiradio.datasets.folder import checksum, refuse_in_use, write_folder
from equiradio.datasets.simulated_shapes import BEAM_SIGMA, Blobs, Part, fri, frii, join, rendered, spot, turned
from equiradio.datasets.sources import SPLITS, Sources
from equiradio.errors import SettingRefusal
from equiradio.sky.recipe import MIRABEST

CORE, JET, HOT_SPOT, LOBE = Part
SIDE, ARCSEC_PER_PIXEL = MIRABEST.side, MIRABEST.scale_arcsec
NOISE_SIDE = 200  # side of the sky the noise level is measured on; MiraBest takes 300, this is faster
Step = Callable[[str, int, int], object]  # what is being done, how much of it is done, how much there is
SHARE = 0.25  # a component owns a pixel where it gives this share of the source's noise-free brightness, at least as bright as the noise
# fingerprint of simulate(24, seed=0): the generator is frozen, since a change of any pixel is a new data set
VERSION_HASH = "de5f82b7e3c7ccfd05f9116ad9c11983b467e6d5aa44b04b44626ba720684ce4"


@dataclass(frozen=True)
class Simulation:
    """Simulated sources.

    Attributes
    ----------
    images : uint8 (count, 150, 150), as MiraBest.
    labels : int64 (count,), 0 FRI, 1 FRII.
    masks : uint8 (count, 150, 150), bit flags of `Part` (CORE, JET, HOT_SPOT, LOBE); 0 on dark pixels, noise and unrelated sources.
    size_arcsec : float64 (count,), widest extent of the source where it is brighter than 3 sigma, without noise.
    peak_jy_per_beam, noise_jy_per_beam : float64 (count,), brightest pixel of the image and its sigma-clipped noise.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    size_arcsec: np.ndarray
    peak_jy_per_beam: np.ndarray
    noise_jy_per_beam: np.ndarray


def clipped_sigma(values: np.ndarray) -> float:
    """Standard deviation after clipping at 3 sigma about the median, at most 5 times. Source: astropy's `sigma_clipped_stats`."""
    left = np.sort(values, axis=None)  # once sorted, a clip is a slice and a median is the middle
    for _ in range(5):
        middle, reach = (left[(len(left) - 1) // 2] + left[len(left) // 2]) / 2, 3 * left.std()
        low, high = np.searchsorted(left, middle - reach), np.searchsorted(left, middle + reach, side="right")
        if high - low == len(left):
            break
        left = left[low:high]
    return float(left.std())


def extent(lit: np.ndarray) -> float:
    """Widest extent in pixels of the lit pixels of an image, over 18 directions 10 degrees apart."""
    rows, columns = np.nonzero(lit)
    if not len(rows):
        return 0.0
    angles = np.deg2rad(np.arange(0, 180, 10))[:, None]
    return float(1 + np.ptp(np.cos(angles) * columns + np.sin(angles) * rows, axis=1).max())


def strangers(rng: np.random.Generator, noise: float) -> Blobs:
    """Unrelated faint point sources or close doubles in the field (pixels of the crop, Jy per beam); none in half of the fields."""
    pieces = []
    for _ in range(rng.choice(4, p=[0.5, 0.3, 0.15, 0.05])):
        (row, column), peak = rng.uniform(2, SIDE - 2, 2), noise * min(4 + 5 * rng.pareto(1.2), 60)
        pieces.append(spot(row, column, 0, peak, Part.CORE))
        if rng.random() < 0.25:
            pieces.append(spot(row + rng.normal(0, 3.5), column + rng.normal(0, 3.5), 0, peak * rng.uniform(0.4, 1), Part.CORE))
    return join(pieces) if pieces else spot(0, 0, 0, 0, Part.CORE)


def residual_sidelobes(rng: np.random.Generator, peak_over_noise: float) -> np.ndarray:
    """Factor (150, 150) on the noise: what cleaning leaves about a bright source grows with its peak and fades within an arcminute."""
    away = (np.arange(SIDE) - SIDE / 2 + 0.5) ** 2
    strength = min(rng.uniform(0, 1) * peak_over_noise / 200, 1)
    return 1 + strength * np.exp(-(away[:, None] + away) / (2 * 25**2))


@dataclass(frozen=True)
class Source:
    """A source before a telescope looks: brightness (4 parts, 150, 150) behind the beam, and noise and peak of its image, Jy per beam."""

    parts: np.ndarray
    noise: float
    peak: float

    @property
    def clean(self) -> np.ndarray:
        """All parts together (150, 150), without noise."""
        return np.asarray(self.parts.sum(0))

    def size_arcsec(self, sigma: float) -> float:
        """Widest extent where it is brighter than 3 sigma."""
        return extent(self.clean > 3 * sigma) * ARCSEC_PER_PIXEL


@dataclass(frozen=True)
class Drawn:
    """A source before it is drawn: its shape in pixels of the crop (150, 150), and noise and peak of its image, Jy per beam."""

    shape: Blobs
    noise: float
    peak: float


def draw_shape(label: int, rng: np.random.Generator) -> Drawn:
    """What a source of class FRI (0) or FRII (1) is made of."""
    # noise, length and peak: log-normals with the medians and spreads of the MiraBest sources, the same for both classes
    noise = 1.5e-4 * np.exp(rng.normal(0, 0.09))
    length = np.clip(np.exp(rng.normal(3.75, 0.7)), 13, 220) / ARCSEC_PER_PIXEL
    peak = noise * np.clip(np.exp(rng.normal(4.6, 0.95) - 0.45 * np.log(length / 25)), 15, 900)
    shape = (fri, frii)[label](rng, length)
    shape = turned(shape, rng.uniform(0, 2 * np.pi), rng.random() < 0.5, *(SIDE / 2 - 0.5 + rng.normal(0, 1, 2)))
    return Drawn(shape, noise, peak)


def draw_source(label: int, rng: np.random.Generator) -> Source:
    """A source of class FRI (0) or FRII (1)."""
    drawn = draw_shape(label, rng)
    parts = rendered(drawn.shape, SIDE)
    parts *= drawn.peak / parts.sum(0).max()
    return Source(parts, drawn.noise, drawn.peak)


def observe(source: Source, rng: np.random.Generator, side: int) -> np.ndarray:
    """A field (side, side) of noise and strangers with the source in its middle, Jy per beam."""
    from scipy.ndimage import gaussian_filter  # a second that lists of data sets should not pay

    white = rng.normal(size=(side, side))
    sky = gaussian_filter(white, BEAM_SIGMA, mode="wrap", truncate=4) * (source.noise * 2 * np.sqrt(np.pi) * BEAM_SIGMA)
    crop = middle(sky)
    crop *= residual_sidelobes(rng, source.peak / source.noise)
    crop += source.clean + rendered(strangers(rng, source.noise), SIDE).sum(0)
    return np.asarray(sky)


def middle(field: np.ndarray) -> np.ndarray:
    """The central (150, 150) of a field."""
    start = (len(field) - SIDE) // 2
    return field[start : start + SIDE, start : start + SIDE]


def simulate_source(label: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Image, mask, size in arcsec, peak and noise in Jy per beam of one source."""
    source = draw_source(label, rng)
    sky = observe(source, rng, NOISE_SIDE)
    crop, sigma, clean = middle(sky), clipped_sigma(sky), source.clean
    lit = np.where(crop > 3 * sigma, crop, 0)
    image = (lit / lit.max() * 255).astype(np.uint8)
    owned = (source.parts >= SHARE * clean) & (clean >= sigma) & (image > 0)
    mask = (owned * np.array(list(Part), np.uint8)[:, None, None]).sum(0, dtype=np.uint8)
    return image, mask, source.size_arcsec(sigma), float(crop.max()), sigma


def check_numbers(count: int, seed: int) -> None:
    """Raises a SettingRefusal where no sources are asked for, or the seed is negative."""
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if value < least:
            raise SettingRefusal(name, f"is {value:,}", f"at least {least}", f"Choose a larger {name}.")


def source_id(seed: int, number: int) -> str:
    """The name of a simulated source."""
    return f"simulated-{seed}-{number:05d}"


def simulate(count: int, seed: int, step: Step = lambda what, done, total: None) -> Simulation:
    """`count` sources, FRI at even and FRII at odd positions; source k depends on (seed, k) alone.

    Raises
    ------
    SettingRefusal : no sources asked for, or a negative seed.
    """
    check_numbers(count, seed)
    labels = np.arange(count, dtype=np.int64) % 2
    images, masks = (np.zeros((count, SIDE, SIDE), np.uint8) for _ in range(2))
    numbers = np.zeros((3, count))
    for k, label in enumerate(labels):
        images[k], masks[k], *numbers[:, k] = simulate_source(int(label), np.random.default_rng([seed, k]))
        step("sources", k + 1, count)
    return Simulation(images, labels, masks, *numbers)


def fingerprint(simulation: Simulation) -> str:
    """SHA-256 of images, labels and masks; `VERSION_HASH` is that of simulate(24, seed=0)."""
    digest = hashlib.sha256()
    for pixels in (simulation.images, simulation.labels.astype("<i8"), simulation.masks):
        digest.update(pixels.tobytes())
    return digest.hexdigest()


def as_sources(simulation: Simulation, seed: int) -> Sources:
    """The simulation as labelled sources: the first two thirds train, the next sixth validation, the rest test."""
    count = len(simulation.labels)
    ends = (count * 2 // 3, count * 2 // 3 + count // 6)
    return Sources(
        name="simulated",
        images=simulation.images,
        labels=simulation.labels,
        source_ids=np.array([source_id(seed, k) for k in range(count)]),
        confidence=np.full(count, "confident"),
        split=np.array(SPLITS)[np.searchsorted(ends, np.arange(count), side="right")],
        size_arcsec=simulation.size_arcsec,
        md5=checksum(simulation.images),
        masks=simulation.masks,
    )


COUNT = 1200
DATASETS = {"simulated": "simulated FRI and FRII, made on the spot: 800, 200, 200"}


def load(name: str = "simulated", data_dir: Path | None = None, *, count: int = COUNT, seed: int = 0) -> Sources:
    """The embedded data set, made on the spot: 1,200 sources in 800 train, 200 validation and 200 test."""
    return as_sources(simulate(count, seed), seed)


def where(data_dir: Path | None = None) -> str:
    """Where it lies, in words."""
    return "made on the spot"


def write_simulated(count: int, seed: int, folder: Path, step: Step = lambda what, done, total: None) -> Path:
    """Simulate into a new folder: images.npy, masks.npy, catalogue.csv and dataset.json; whole or not at all.

    Raises
    ------
    DataRefusal : the folder holds something already.
    """
    refuse_in_use(folder)  # before the work is done
    return write_folder(as_sources(simulate(count, seed, step), seed), folder, seed=seed, generator=VERSION_HASH)
