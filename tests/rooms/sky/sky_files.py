"""FITS files made for tests: a source, and every kind of damage."""

import gzip
import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

RA, DEC = 150.0, 30.0


def header(side=300, scale=1.8, ctype="TAN", turn_deg=0.0, frame="ICRS", dec=DEC):
    """A WCS header about (RA, dec)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{ctype}", f"DEC--{ctype}"]
    wcs.wcs.crval, wcs.wcs.crpix = [RA, dec], [(side + 1) / 2] * 2
    angle = np.deg2rad(turn_deg)
    wcs.wcs.cd = scale / 3600 * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.radesys = frame
    if frame != "ICRS":
        wcs.wcs.equinox = 1950.0 if frame == "FK4" else 2000.0
    return wcs.to_header()


def sky(side=300, scale=1.8, at=(0.0, 0.0), seed=0):
    """Noise and two blobs; the brighter one ``at`` (column, row) pixels from the centre. Jy per beam."""
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    width = 3.0 * 1.8 / scale
    image = np.random.default_rng(seed).normal(0, 1e-4, (side, side))
    for dx, dy, peak in ((at[0], at[1], 0.05), (at[0] + 20 * 1.8 / scale, at[1], 0.03)):
        image += peak * np.exp(-((columns - dx) ** 2 + (rows - dy) ** 2) / (2 * width**2))
    return image.astype(np.float32)


def bright_spot(pixels, wcs, reach_arcsec=9.0, scale=1.8):
    """Where the brightest pixel's surroundings have their middle, by the pixels above half of it."""
    row, column = np.unravel_index(int(np.nanargmax(pixels)), pixels.shape)
    rows, columns = np.indices(pixels.shape)
    near = np.hypot(rows - row, columns - column) <= reach_arcsec / scale
    weight = np.where(near & np.isfinite(pixels), np.clip(pixels - 0.5 * pixels[row, column], 0, None), 0).astype(float)
    weight /= weight.sum()
    return wcs.pixel_to_world((weight * columns).sum(), (weight * rows).sum()).icrs


def write(path: Path, pixels=None, cards=None, kind=fits.PrimaryHDU):
    """A FITS file of one image."""
    kind(sky() if pixels is None else pixels, header() if cards is None else cards).writeto(path, overwrite=True)
    return path


def damaged(folder: Path) -> dict[str, tuple[Path, str]]:
    """Bad files by name, each with the flag it must get."""
    good = write(folder / "good.fits")
    content = good.read_bytes()
    cases: dict[str, tuple[bytes | Path, str]] = {
        "empty": (b"", "empty_file"),
        "text": (b"RA Dec flux\n" * 300, "not_an_image_file"),
        "truncated": (content[:100_000], "truncated"),
        "badgzip": (gzip.compress(content)[:10] + b"\xff" * 2000, "damaged"),
        "shortgzip": (gzip.compress(content)[:20_000], "truncated"),
    }
    huge = fits.Header.fromstring(content[:2880].decode())
    huge["NAXIS1"], huge["NAXIS2"] = 46_000, 46_000
    cases["huge"] = (huge.tostring().encode() + bytes(2880), "too_large")
    made = {name: (folder / f"{name}.fits", flag) for name, (_, flag) in cases.items()}
    for name, (data, _) in cases.items():
        made[name][0].write_bytes(data)  # type: ignore[arg-type]

    def add(name, flag, *hdus):
        fits.HDUList([*hdus]).writeto(folder / f"{name}.fits", overwrite=True)
        made[name] = folder / f"{name}.fits", flag

    table = fits.BinTableHDU.from_columns([fits.Column("ra", "D", array=np.arange(5.0))], name="SOURCES")
    some, empty = fits.ImageHDU(sky(), header()), fits.PrimaryHDU()
    add("headeronly", "no_image", empty)
    add("table", "no_image", empty, table)
    add("several", "several_images", empty, some, fits.ImageHDU(sky(), header()))
    add("cube", "wrong_shape", fits.PrimaryHDU(np.stack([sky(), sky()])))
    add("row", "wrong_shape", fits.PrimaryHDU(np.zeros((1, 300), np.float32)))
    add("small", "too_small", fits.PrimaryHDU(sky(30), header(30)))
    add("allnan", "too_many_nonfinite", fits.PrimaryHDU(np.full((300, 300), np.nan, np.float32), header()))
    add("zero", "blank", fits.PrimaryHDU(np.zeros((300, 300), np.float32), header()))
    add("absurd", "absurd_scale", fits.PrimaryHDU(sky(), header(scale=1e6)))
    partly = sky()
    partly[:, :140] = np.nan
    add("nancrop", "too_many_nonfinite", fits.PrimaryHDU(partly, header()))
    loop = folder / "loop.fits"
    os.symlink(loop, loop)
    made["loop"] = loop, "unreadable"
    made["gone"] = folder / "gone.fits", "missing"
    if os.geteuid():  # root may read everything
        locked = write(folder / "locked.fits")
        locked.chmod(0)
        made["locked"] = locked, "unreadable"
    return made
