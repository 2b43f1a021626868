"""The embedded data set `simulated`: seeded FRI and FRII radio galaxies as FIRST would see them, with truth masks.

Sizes, peaks and noise imitate the MiraBest sources; both classes draw them from the same distributions, so that neither size nor brightness
gives a class away. Images go through the recipe of MiraBest: 3-sigma threshold, 150 x 150 crop, stretch to 0..255, truncation.
"""

import csv
import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import numpy as np
from scipy.ndimage import gaussian_filter

from equiradio.datasets.simulated_shapes import BEAM_SIGMA, Blobs, Part, fri, frii, join, rendered, spot, turned
from equiradio.datasets.sources import SPLITS, Sources
from equiradio.errors import DataRefusal, SettingRefusal
from equiradio.labels import FANAROFF_RILEY
from equiradio.sky.recipe import MIRABEST

CORE, JET, HOT_SPOT, LOBE = Part
SIDE, ARCSEC_PER_PIXEL = MIRABEST.side, MIRABEST.scale_arcsec
NOISE_SIDE = 200  # side of the sky the noise level is measured on; MiraBest takes 300, this is faster
SHARE = 0.25  # a component owns a pixel where it gives this share of the source's noise-free brightness, at least as bright as the noise
# fingerprint of simulate(24, seed=0): the generator is frozen, since a change of any pixel is a new data set
VERSION_HASH = "de5f82b7e3c7ccfd05f9116ad9c11983b467e6d5aa44b04b44626ba720684ce4"
FILES = ("images.npy", "masks.npy", "catalogue.csv", "dataset.json")
COLUMNS = {"source_id": "source_ids", "label": "labels", "split": "split", "confidence": "confidence", "size_arcsec": "size_arcsec"}


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
    kept = np.sort(values, axis=None)  # once sorted, a clip is a slice and a median is the middle
    for _ in range(5):
        middle, reach = (kept[(len(kept) - 1) // 2] + kept[len(kept) // 2]) / 2, 3 * kept.std()
        low, high = np.searchsorted(kept, middle - reach), np.searchsorted(kept, middle + reach, side="right")
        if high - low == len(kept):
            break
        kept = kept[low:high]
    return float(kept.std())


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


def simulate_source(label: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Image, mask, size in arcsec, peak and noise in Jy per beam of one source."""
    # noise, length and peak: log-normals with the medians and spreads of the MiraBest sources, the same for both classes
    noise = 1.5e-4 * np.exp(rng.normal(0, 0.09))
    length = np.clip(np.exp(rng.normal(3.75, 0.7)), 13, 220) / ARCSEC_PER_PIXEL
    peak = noise * np.clip(np.exp(rng.normal(4.6, 0.95) - 0.45 * np.log(length / 25)), 15, 900)
    shape = (fri, frii)[label](rng, length)
    shape = turned(shape, rng.uniform(0, 2 * np.pi), rng.random() < 0.5, *(SIDE / 2 - 0.5 + rng.normal(0, 1, 2)))
    parts = rendered(shape, SIDE)
    parts *= peak / parts.sum(0).max()
    clean = parts.sum(0)

    white = rng.normal(size=(NOISE_SIDE, NOISE_SIDE))
    sky = gaussian_filter(white, BEAM_SIGMA, mode="wrap", truncate=4) * (noise * 2 * np.sqrt(np.pi) * BEAM_SIGMA)
    start = (NOISE_SIDE - SIDE) // 2
    crop = sky[start : start + SIDE, start : start + SIDE]
    crop *= residual_sidelobes(rng, peak / noise)
    crop += clean + rendered(strangers(rng, noise), SIDE).sum(0)
    sigma = clipped_sigma(sky)
    kept = np.where(crop > 3 * sigma, crop, 0)
    image = (kept / kept.max() * 255).astype(np.uint8)

    owned = (parts >= SHARE * clean) & (clean >= sigma) & (image > 0)
    mask = (owned * np.array(list(Part), np.uint8)[:, None, None]).sum(0, dtype=np.uint8)
    return image, mask, extent(clean > 3 * sigma) * ARCSEC_PER_PIXEL, float(crop.max()), sigma


def simulate(count: int, seed: int) -> Simulation:
    """`count` sources, FRI at even and FRII at odd positions; source k depends on (seed, k) alone.

    Raises
    ------
    SettingRefusal : no sources asked for, or a negative seed.
    """
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if value < least:
            raise SettingRefusal(name, f"is {value:,}", f"at least {least}", f"Choose a larger {name}.")
    labels = np.arange(count, dtype=np.int64) % 2
    images, masks = (np.zeros((count, SIDE, SIDE), np.uint8) for _ in range(2))
    numbers = np.zeros((3, count))
    for k, label in enumerate(labels):
        images[k], masks[k], *numbers[:, k] = simulate_source(int(label), np.random.default_rng([seed, k]))
    return Simulation(images, labels, masks, *numbers)


def fingerprint(simulation: Simulation) -> str:
    """SHA-256 of images, labels and masks; `VERSION_HASH` is that of simulate(24, seed=0)."""
    digest = hashlib.sha256()
    for pixels in (simulation.images, simulation.labels.astype("<i8"), simulation.masks):
        digest.update(pixels.tobytes())
    return digest.hexdigest()


def checksum(pixels: np.ndarray) -> str:
    """MD5 of the bytes of an array, in hexadecimal."""
    return hashlib.md5(pixels.tobytes(), usedforsecurity=False).hexdigest()


def as_sources(simulation: Simulation, seed: int) -> Sources:
    """The simulation as labelled sources: the first two thirds train, the next sixth validation, the rest test."""
    count = len(simulation.labels)
    ends = (count * 2 // 3, count * 2 // 3 + count // 6)
    return Sources(
        name="simulated",
        images=simulation.images,
        labels=simulation.labels,
        source_ids=np.array([f"simulated-{seed}-{k:05d}" for k in range(count)]),
        confidence=np.full(count, "confident"),
        split=np.array(SPLITS)[np.searchsorted(ends, np.arange(count), side="right")],
        size_arcsec=simulation.size_arcsec,
        md5=checksum(simulation.images),
    )


def load_simulated(count: int = 1200, seed: int = 0) -> Sources:
    """The embedded data set, made on the spot: 1,200 sources in 800 train, 200 validation and 200 test."""
    return as_sources(simulate(count, seed), seed)


def write_simulated(count: int, seed: int, folder: Path) -> Path:
    """Simulate into a new folder: images.npy, masks.npy, catalogue.csv and dataset.json; whole or not at all.

    Raises
    ------
    DataRefusal : the folder holds something already.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataRefusal(folder, "exists and is not empty", "a new or an empty folder", "Choose another folder or remove this one.")
    simulation = simulate(count, seed)
    sources = as_sources(simulation, seed)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        unfinished = Path(temporary) / "data"
        unfinished.mkdir()
        np.save(unfinished / "images.npy", simulation.images)
        np.save(unfinished / "masks.npy", simulation.masks)
        with open(unfinished / "catalogue.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(COLUMNS)
            table.writerows(zip(*(getattr(sources, attribute).tolist() for attribute in COLUMNS.values()), strict=True))
        about = {"name": sources.name, "count": count, "seed": seed, "generator": VERSION_HASH}
        about |= {"md5": sources.md5, "masks_md5": checksum(simulation.masks)}
        (unfinished / "dataset.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        os.replace(unfinished, folder)
    return folder


def read_pixels(path: Path, count: int, md5: str) -> np.ndarray:
    """A uint8 array (count, 150, 150) whose MD5 is known, or a refusal."""
    try:
        with open(path, "rb") as file:
            pixels = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataRefusal(path, "cannot be read as an array", "a whole .npy file", "Write the folder anew.") from error
    if pixels.shape != (count, SIDE, SIDE) or pixels.dtype != np.uint8:
        found, expected = (" x ".join(map(str, shape)) for shape in (pixels.shape, (count, SIDE, SIDE)))
        raise DataRefusal(path, f"holds {found} of {pixels.dtype}", f"{expected} of uint8", "Write the folder anew.")
    if checksum(pixels) != md5:
        raise DataRefusal(path, f"md5 is {checksum(pixels)}", f"{md5} as dataset.json says", "Write the folder anew.")
    return pixels


def read_folder(folder: Path) -> Sources:
    """The sources of a folder that `write_simulated` wrote.

    Raises
    ------
    DataRefusal : a file is missing or damaged, a shape or a column is wrong, or a checksum differs.
    """
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DataRefusal(
            folder, f"has no {' and no '.join(missing)}", ", ".join(FILES), "Write one with 'equiradio data simulate --out DIR'."
        )
    try:
        about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        name, count, md5, masks_md5 = str(about["name"]), int(about["count"]), str(about["md5"]), str(about["masks_md5"])
        if not re.fullmatch(r"(?!mirabest)[A-Za-z0-9][A-Za-z0-9._-]{,99}", name):  # it becomes part of file names
            raise ValueError(f"name is {shorten(name, 60)!r}; up to 100 letters, digits, '.', '_' and '-', and not mirabest, would do")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataRefusal(
            folder / "dataset.json", f"cannot be understood ({error})", "name, count, md5 and masks_md5", "Write the folder anew."
        ) from error
    images = read_pixels(folder / "images.npy", count, md5)
    read_pixels(folder / "masks.npy", count, masks_md5)
    try:
        with open(folder / "catalogue.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if any(None in row.values() for row in rows):
            raise ValueError("a row is cut short")
        columns = {attribute: np.array([row[column] for row in rows]) for column, attribute in COLUMNS.items()}
        columns |= {"labels": columns["labels"].astype(np.int64), "size_arcsec": columns["size_arcsec"].astype(np.float64)}
    except (ValueError, KeyError, csv.Error) as error:
        raise DataRefusal(
            folder / "catalogue.csv", f"cannot be understood ({error})", f"columns {', '.join(COLUMNS)}", "Write the folder anew."
        ) from error
    if len(set(columns["source_ids"].tolist())) != len(rows):
        found = f"{len(rows) - len(set(columns['source_ids'].tolist())):,} source_ids occur twice"
        raise DataRefusal(folder / "catalogue.csv", found, "unique names", "Write the folder anew.")
    if len(rows) != count:
        raise DataRefusal(folder / "catalogue.csv", f"has {len(rows):,} rows", f"{count:,} as dataset.json says", "Write the folder anew.")
    for attribute, known in (("labels", range(len(FANAROFF_RILEY.names))), ("split", SPLITS)):
        strange = set(columns[attribute].tolist()) - set(known)
        if strange:
            raise DataRefusal(
                folder / "catalogue.csv",
                f"{attribute} holds {min(strange)}",
                f"one of {', '.join(map(str, known))}",
                "Write the folder anew.",
            )
    return Sources(name=name, images=images, md5=md5, **columns)
