"""Small images of a user's own: bars and dots in noise, as files of every kind."""

import csv
from pathlib import Path

import numpy as np

KINDS = ("Bar", "Dot")
SIDE = 40


def pixels(number, side=SIDE):
    """float32 (side, side) in some unit, noise of 1: a bar for even numbers, a dot for odd ones; every one of its own."""
    rng = np.random.default_rng([5, number])
    rows, columns = np.indices((side, side)) - side / 2 + 0.5 - rng.uniform(-2, 2, (2, 1, 1))
    angle = rng.uniform(0, np.pi)
    along, across = np.cos(angle) * columns + np.sin(angle) * rows, np.cos(angle) * rows - np.sin(angle) * columns
    shape = np.exp(-((along / 9) ** 4) - (across / 2) ** 2) if number % 2 == 0 else np.exp(-(along**2 + across**2) / 20)
    return (60 * shape + rng.normal(0, 1, shape.shape)).astype(np.float32)


def grey(number, side=SIDE):
    """The same as a picture: uint8, clipped and stretched."""
    values = np.where(pixels(number, side) > 3, pixels(number, side), 0)
    return np.round(255 * values / values.max()).astype(np.uint8)


def place(number):
    """Right ascension and declination in degrees: all over the sky, far apart."""
    return 30 + 7.0 * number, -20 + 1.5 * number


def header(number, side=SIDE, scale=2.0, at=None):
    from astropy.io import fits

    ra, dec = at or place(number)
    cards = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": ra, "CRVAL2": dec, "CRPIX1": side / 2 + 0.5, "CRPIX2": side / 2 + 0.5}
    cards |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600, "CUNIT1": "deg", "CUNIT2": "deg", "RADESYS": "ICRS", "BUNIT": "JY/BEAM"}
    return fits.Header(cards)


def write_fits(path, number, side=SIDE, scale=2.0, at=None):
    from astropy.io import fits

    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(pixels(number, side), header(number, side, scale, at)).writeto(path)


def write_picture(path, number, mode="L"):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey(number)).convert(mode).save(path)


def write_array(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, pixels(number))


def class_folder(folder: Path, count=24, write=write_fits, suffix=".fits") -> Path:
    """A folder per class."""
    for number in range(count):
        write(folder / KINDS[number % 2] / f"s{number:02d}{suffix}", number)
    return folder


def write_table(path: Path, columns: dict) -> Path:
    """A CSV table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*columns.values(), strict=True))
    return path


def file_table(folder: Path, count=24, **changes) -> Path:
    """A table of FITS files beside it, with words of classes and positions; ``changes`` of columns, None to leave one out."""
    for number in range(count):
        write_fits(folder / "images" / f"s{number:02d}.fits", number)
    columns = {
        "file": [f"images/s{number:02d}.fits" for number in range(count)],
        "label": [KINDS[number % 2] for number in range(count)],
        "ra": [place(number)[0] for number in range(count)],
        "dec": [place(number)[1] for number in range(count)],
    }
    columns = {name: values for name, values in (columns | changes).items() if values is not None}
    return write_table(folder / "table.csv", columns)
