"""Simulated sources as FITS cutouts of a survey like FIRST: pixels in Jy/beam with noise, a WCS and a beam; ready for `equiradio classify`.

A cutout shows the source of the same seed and number as the data set `simulated`, in a larger field with noise of its own. Positions are
made up, in the part of the sky that FIRST covers.
"""

from pathlib import Path

import numpy as np

from equiradio.datasets.folder import whole, write_csv
from equiradio.datasets.simulated import Step, check_numbers, clipped_sigma, draw_source, middle, observe, source_id
from equiradio.errors import DataRefusal
from equiradio.labels import FANAROFF_RILEY
from equiradio.sky.recipe import MIRABEST

FIELD = 320  # pixels of a side: some more than the noise is measured on
RA_DEG, DEC_DEG = (110.0, 260.0), (-5.0, 60.0)
FREQUENCY_HZ = 1.4e9
CUTOUTS = 12  # as many as are usually asked for
TRUTH = "truth.csv"
EXAMPLES = Path("example-cutouts")  # where the examples of `equiradio classify --example` are put
EXAMPLE_COUNT, EXAMPLE_SEED = 6, 4  # of which the default team answers four rightly and abstains from two


def write_cutouts(count: int, seed: int, folder: Path, step: Step = lambda what, done, total: None) -> Path:
    """Write a FITS file for each of `count` sources, and truth.csv with their classes, into a new folder; whole or not at all.

    Raises
    ------
    SettingRefusal : no sources asked for, or a negative seed. DataRefusal : the folder holds something already.
    """
    check_numbers(count, seed)
    truth: dict[str, list] = {name: [] for name in ("source_id", "class", "ra_deg", "dec_deg", "size_arcsec", "peak_jy_per_beam")}
    with whole(folder) as unfinished:
        for number in range(count):
            row = _write_cutout(unfinished, number, seed)
            for column, value in zip(truth.values(), row, strict=True):
                column.append(value)
            step("cutouts", number + 1, count)
        write_csv(unfinished / TRUTH, truth)
    return Path(folder)


def example_cutouts(folder: Path = EXAMPLES) -> Path:
    """A folder of a few cutouts to begin with; written where it is not there yet.

    Raises
    ------
    DataRefusal : the folder holds something else.
    """
    names = {f"{source_id(EXAMPLE_SEED, number)}.fits" for number in range(EXAMPLE_COUNT)} | {TRUTH}
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if names <= there:
        return folder
    if there:
        found = f"a folder with other files and without {min(names - there)}"
        raise DataRefusal(folder, found, "a new folder, or the examples in it", "Move it away, or work in another folder.")
    return write_cutouts(EXAMPLE_COUNT, EXAMPLE_SEED, folder)


def _write_cutout(folder: Path, number: int, seed: int) -> tuple[str, str, float, float, float, float]:
    """Write one; its row of the truth."""
    from astropy.io import fits

    label, rng = number % 2, np.random.default_rng([seed, number])
    source, name = draw_source(label, rng), source_id(seed, number)
    sky = observe(source, rng, FIELD)
    ra_deg, dec_deg = (round(float(rng.uniform(*span)), 4) for span in (RA_DEG, DEC_DEG))
    header = fits.Header(cards(name, ra_deg, dec_deg, FIELD))
    header.add_comment(f"Simulated by equiradio: source {number} of seed {seed}, an {FANAROFF_RILEY.names[label]}.")
    fits.PrimaryHDU(sky.astype(np.float32), header).writeto(folder / f"{name}.fits")
    size_arcsec = round(source.size_arcsec(clipped_sigma(sky)), 1)
    return name, FANAROFF_RILEY.names[label], ra_deg, dec_deg, size_arcsec, float(f"{middle(sky).max():.4g}")


def cards(name: str, ra_deg: float, dec_deg: float, side: int) -> list[tuple[str, str | float, str]]:
    """The header of a square image: unit, beam, and the WCS whose reference is its middle."""
    step, beam, centre = MIRABEST.scale_arcsec / 3600, MIRABEST.beam_arcsec / 3600, side / 2 + 0.5
    return [
        ("BUNIT", "JY/BEAM", ""),
        ("BMAJ", beam, "[deg]"),
        ("BMIN", beam, "[deg]"),
        ("BPA", 0.0, "[deg]"),
        ("CTYPE1", "RA---SIN", ""),
        ("CTYPE2", "DEC--SIN", ""),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CRVAL1", ra_deg, ""),
        ("CRVAL2", dec_deg, ""),
        ("CRPIX1", centre, ""),
        ("CRPIX2", centre, ""),
        ("CDELT1", -step, ""),
        ("CDELT2", step, ""),
        ("RADESYS", "ICRS", ""),
        ("RESTFRQ", FREQUENCY_HZ, "[Hz]"),
        ("OBJECT", name, ""),
        ("TELESCOP", "simulated", ""),
    ]
