"""A simulated piece of sky as a survey gives it: overlapping mosaics, a catalogue of truth and one of a finder's components.

Sources are those of the data set `simulated`, at random positions; each depends on the seed and its number alone.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.datasets.folder import whole, write_csv
from equiradio.datasets.simulated import SIDE, Drawn, Step, check_numbers, draw_shape, extent, source_id, strangers
from equiradio.datasets.simulated_components import Component, ComponentTable, components_of
from equiradio.datasets.simulated_cutouts import TRUTH
from equiradio.datasets.simulated_mosaic import PIXEL_DEG, Depth, Field, Stamp, write_mosaic
from equiradio.datasets.simulated_shapes import BEAM_SIGMA, Blobs, join, rendered
from equiradio.errors import SettingRefusal
from equiradio.labels import FANAROFF_RILEY
from equiradio.sky.recipe import MIRABEST

RA_DEG, DEC_DEG = 180.0, 30.0  # middle of the sky that is simulated, where FIRST looked
DEGREES = (0.32, 50.0)  # sides of the square: at least a mosaic of 640 pixels, at most from declination 5 to 55
LEAST, MOST, USUAL = 640, 30_000, 2000  # pixels of a mosaic's side
OVERLAP = 320  # pixels: what is cut about a source at a seam is whole in one of the mosaics
SPARE = 1.02  # mosaics reach beyond the square by so much, so that meridians that come closer do not ask for one more
DENSITY = 60.0  # sources per square degree where no count is asked for; FIRST lists 90 components in each
STAMP = 200  # pixels of a square into which a source is drawn
COMPONENTS, MOSAICS = "components.fits", "mosaics.csv"
COLUMNS = ("source_id", "class", "ra_deg", "dec_deg", "size_arcsec", "peak_jy_per_beam", "total_jy", "rms_jy_per_beam")
MORE_COLUMNS = ("number", "components", "mosaic")  # Source_id in the components, how many there are, where it lies farthest from an edge
OF_ERRORS, OF_PLACES = 2, 3  # last numbers of seeds; see `equiradio.datasets.simulated_mosaic`


def layout(degrees: float, largest: int) -> list[Field]:
    """Mosaics that cover a square of sky, row by row from the south, all of one side."""
    pixels = SPARE * degrees / PIXEL_DEG
    most = math.radians(DEC_DEG + degrees / 2)
    overlap = OVERLAP + math.ceil(largest**2 * math.radians(PIXEL_DEG) / 8 * math.tan(most))  # parallels are bent
    down = max(1, math.ceil((pixels - overlap) / max(largest - overlap, 1)))
    side = max(LEAST, math.ceil((pixels + (down - 1) * overlap) / down))
    fields = list[Field]()
    for row in range(down):
        dec = DEC_DEG + (row - (down - 1) / 2) * (side - overlap) * PIXEL_DEG
        edges = [math.cos(math.radians(min(max(dec + half * side * PIXEL_DEG / 2, 0), 89))) for half in (-1, 1)]
        step = (side - overlap) / max(edges)  # pixels of right ascension; meridians come closer toward the north
        across = max(1, 1 + math.ceil((pixels / SPARE - side) / (step * min(edges)) - 1e-9))
        for column in range(across):
            ra = RA_DEG + (column - (across - 1) / 2) * step * PIXEL_DEG
            fields.append(Field(len(fields), f"mosaic-{len(fields):04d}.fits", round(ra, 6), round(dec, 6), side))
    return fields


def positions(degrees: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Right ascension and declination of sources that are spread evenly over the square."""
    east, north = np.random.default_rng([seed, 0, 0, OF_PLACES]).uniform(-degrees / 2, degrees / 2, (2, count))
    dec = DEC_DEG + north
    return RA_DEG + east / np.cos(np.radians(dec)), dec


@dataclass(frozen=True)
class Lit:
    """A source as it shines: its Gaussians at their brightness, and its picture (150, 150) behind the beam, Jy per beam."""

    shape: Blobs
    picture: np.ndarray

    @classmethod
    def of(cls, drawn: Drawn) -> "Lit":
        picture = rendered(drawn.shape, SIDE).sum(0)
        gain = drawn.peak / picture.max()
        shape = drawn.shape
        return cls(Blobs(shape.position, shape.width, shape.flux * gain, shape.part), picture * gain)


class Sky:
    """Sources of a sky and where they lie in its mosaics."""

    def __init__(self, degrees: float, count: int, seed: int, largest: int) -> None:
        self.seed, self.fields = seed, layout(degrees, largest)
        self.ra, self.dec = positions(degrees, count, seed)
        self.owner, best = np.zeros(count, np.int32), np.full(count, -np.inf)
        for field in self.fields:
            inside = np.nan_to_num(field.inside(*field.places(self.ra, self.dec)), nan=-np.inf)
            self.owner[inside > best] = field.number
            best = np.maximum(best, inside)

    def lit(self, number: int) -> tuple[Lit, Blobs]:
        """A source, and unrelated ones about it, which are in no catalogue."""
        rng = np.random.default_rng([self.seed, number])
        drawn = draw_shape(number % len(FANAROFF_RILEY.names), rng)
        return Lit.of(drawn), strangers(rng, drawn.noise)

    def numbers(self, field: Field) -> np.ndarray:
        """Sources that reach into a mosaic, from its first row to its last."""
        columns, rows = field.places(self.ra, self.dec)
        there = np.flatnonzero(field.inside(columns, rows) > -STAMP / 2)
        return there[np.argsort(np.floor(rows[there]), kind="stable")]


def write_sky(
    degrees: float, seed: int, folder: Path, step: Step = lambda what, done, total: None, *, count: int | None = None, largest: int = USUAL
) -> Path:
    """Write mosaics, truth.csv, components.fits and mosaics.csv into a new folder; whole or not at all.

    Parameters
    ----------
    degrees : side of the square of sky.
    count : of all sources; by default 60 per square degree.
    largest : pixels of a mosaic's side, at most.

    Raises
    ------
    SettingRefusal : a number out of range. DataRefusal : the folder holds something already.
    """
    count = max(1, round(DENSITY * degrees**2)) if count is None else count
    for name, value, (low, high) in (("--sky", degrees, DEGREES), ("--mosaic", largest, (LEAST, MOST))):
        if not low <= value <= high:
            raise SettingRefusal(name, f"{value:,}", f"{low:,} to {high:,}", "Choose a value in that range.")
    check_numbers(count, seed)
    with whole(folder) as unfinished:
        sky = Sky(degrees, count, seed, largest)
        about: dict[str, list[Any]] = {name: [] for name in ("file", "ra_deg", "dec_deg", "side", "rms_jy_per_beam", "sources")}
        with ComponentTable(unfinished / COMPONENTS) as table, (unfinished / TRUTH).open("w", newline="", encoding="utf-8") as file:
            truth = csv.writer(file, lineterminator="\n")
            truth.writerow(COLUMNS + MORE_COLUMNS)
            for field in sky.fields:
                depth, rows = Depth.of(field, seed), list[tuple[int, list[Any], list[Component]]]()
                write_mosaic(unfinished / field.name, depth, _stamps(sky, depth, rows), seed)
                for number, row, components in sorted(rows, key=lambda each: each[0]):
                    truth.writerow(row)
                    table.add(number, components)
                values = field.name, field.ra_deg, field.dec_deg, field.side, float(f"{depth.level:.4g}"), len(rows)
                for column, cell in zip(about.values(), values, strict=True):
                    column.append(cell)
                step("mosaics", field.number + 1, len(sky.fields))
        write_csv(unfinished / MOSAICS, about)
    return Path(folder)


def _stamps(sky: Sky, depth: Depth, rows: list[tuple[int, list[Any], list[Component]]]) -> Iterator[Stamp]:
    """Sources of a mosaic as it shows them; truth and components of those that it shows best are added to ``rows``."""
    field, numbers = depth.field, sky.numbers(depth.field)
    ra, dec = sky.ra[numbers], sky.dec[numbers]
    columns, lines = field.places(ra, dec)
    east = np.array(field.places(ra + 1 / 3600 / np.cos(np.radians(dec)), dec)) - (columns, lines)  # pixels by one arcsec
    north = np.array(field.places(ra, dec + 1 / 3600)) - (columns, lines)
    for at, number in enumerate(numbers):
        source, others = sky.lit(int(number))
        place = columns[at], lines[at]
        if sky.owner[number] == field.number:
            rows.append((int(number), *_truth(sky, depth, int(number), source, place)))
        yield _stamp(join([source.shape, others]), place, np.stack([east[:, at], north[:, at]], 1))


def _stamp(shape: Blobs, place: tuple[float, float], pixels: np.ndarray) -> Stamp:
    """A shape about a place (column, row) of a mosaic; ``pixels`` (2, 2) are columns and rows by an arcsec to (east, north)."""
    offset = (shape.position - (SIDE - 1) / 2) * MIRABEST.scale_arcsec
    columns, rows = pixels @ np.stack([-offset[:, 1], offset[:, 0]])
    left, top = math.floor(place[0]) - STAMP // 2, math.floor(place[1]) - STAMP // 2
    position = np.stack([rows + place[1] - top, columns + place[0] - left], 1)
    return Stamp(top, left, rendered(Blobs(position, shape.width, shape.flux, shape.part), STAMP).sum(0))


def _truth(sky: Sky, depth: Depth, number: int, source: Lit, place: tuple[float, float]) -> tuple[list[Any], list[Component]]:
    """A source's row, and its components where they are not blank."""
    ra, dec, field = float(sky.ra[number]), float(sky.dec[number]), depth.field
    noise = float(depth.rms(np.array(place[1]), np.array(place[0])))
    placed = list[Component]()
    for each in components_of(source.picture, noise, np.random.default_rng([sky.seed, number, 0, OF_ERRORS])):
        north = dec + each["DEC"] / 3600
        there = ra + each["RA"] / 3600 / math.cos(math.radians(north)), north
        column, row = (np.round(value) for value in field.places(*map(np.array, there)))
        if depth.seen(row, column):
            placed.append({**each, "RA": there[0], "DEC": there[1]})
    size = extent(source.picture > 3 * noise) * MIRABEST.scale_arcsec
    total = source.picture.sum() / (2 * np.pi * BEAM_SIGMA**2)
    numbers = [round(size, 1), *(float(f"{value:.5g}") for value in (source.picture.max(), total, noise))]
    name, label = source_id(sky.seed, number), FANAROFF_RILEY.names[number % len(FANAROFF_RILEY.names)]
    seen = bool(depth.seen(np.array(place[1]), np.array(place[0])))
    return [name, label, round(ra, 7), round(dec, 7), *numbers, number, len(placed), field.name if seen else ""], placed
