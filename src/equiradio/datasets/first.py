"""FIRST radio galaxy data set: FRI, FRII, compact and bent sources of five catalogues and of MiraBest. Source: Griese et al. 2023.

Fold 0 of the published cross-validation gives train and validation; the common test sources are a file of their own. The published images
are 300 x 300 pixels of FIRST, set to about 3 sigma where they are fainter, and stretched from there. The recipe of this package stretches
from nothing: what lies below the threshold is put back, by an estimate of it (:mod:`equiradio.datasets.threshold`).
"""

import hashlib
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from equiradio.datasets.fetching import NotFetched, retrieve
from equiradio.datasets.sources import Check, Sources
from equiradio.datasets.threshold import restored
from equiradio.errors import DataRefusal, nearest, reason
from equiradio.folders import DATA, data_folder
from equiradio.labels import FANAROFF_RILEY, Labels
from equiradio.sky.levels import TOP
from equiradio.sky.recipe import MIRABEST

DOI = "10.5281/zenodo.7120632"
RECORD = "https://zenodo.org/records/7689127/files"  # the version that the data set's own code fetches
FOLD, TEST = "galaxy_data_crossvalid_0_h5.zip", "galaxy_data_crossvalid_test_h5.zip"
FILE_MD5 = {FOLD: "32c9f877e858e3ecca617bf9067ff624", TEST: "dcf6dc0a7f492a2d9d762a993c7c6db0"}
CLASSES = Labels(("FRI", "FRII", "Compact", "Bent"))
SPLITS = {"train": "train", "valid": "validation", "test": "test"}  # as published -> here
DATASETS = {
    "first": "FIRST, FRI, FRII, Compact and Bent: 1405 train, 353 validation; 400 test in a file of their own",
    "first-fr": "its FRI and FRII alone: 975 train, 244 validation; 200 test",
}
FIELD = 300  # pixels of a published image's side
CENTRE = (slice((FIELD - MIRABEST.side) // 2, (FIELD + MIRABEST.side) // 2),) * 2  # what an image of this package shows of it
LARGEST, LARGEST_UNPACKED = 64 << 20, 512 << 20  # bytes; the published file has 2 and 164 million
AGAIN = "Fetch it again with 'equiradio data fetch first'."


class Entry(NamedTuple):
    """A source as published: its group in the file, pixels uint8 (300, 300), place of its class, split, catalogue, position in degrees."""

    group: str
    pixels: np.ndarray
    label: int
    split: str
    catalogue: str
    ra_deg: float
    dec_deg: float


def where(folder: str | Path | None = None) -> str:
    """Where it lies, in words."""
    place = _home(folder) / FOLD
    return str(place) if place.is_file() else "not here; fetch it"


def fetch(folder: str | Path | None = None, progress: bool = True) -> Path:
    """Download both files into ``<folder>/first``, unless they are there with the published md5s; returns the folder's path."""
    for name in FILE_MD5:
        _fetched(_home(folder), name, progress)
    return _home(folder)


def verify(folder: str | Path | None = None) -> list[Check]:
    """Compare the files with their published md5s; the test sources' file only where it is there."""
    home = _home(folder)
    if not (home / FOLD).is_file():
        raise _absent(home, FOLD, f"no {FOLD} there")
    return [Check(name, md5, _md5(_content(home / name))) for name, md5 in FILE_MD5.items() if name == FOLD or (home / name).is_file()]


def load(name: str = "first", folder: str | Path | None = None, download: bool = True) -> Sources:
    """The sources of fold 0, and the test sources where their file is there.

    Parameters
    ----------
    name : ``first``, or ``first-fr`` for FRI and FRII alone.
    folder : data folder; see :func:`equiradio.folders.data_folder`.
    download : fetch the file of fold 0 where it is absent.

    Raises
    ------
    DataRefusal : an unknown name, files that are absent, damaged or not the published ones, or no h5py.

    Source: doi:10.5281/zenodo.7120632; images from FIRST.
    """
    if name not in DATASETS:
        expected = f"one of {', '.join(DATASETS)}"
        raise DataRefusal("data", f"{name} is not a subset of the FIRST data set", expected, nearest(name, list(DATASETS)))
    home = _home(folder)
    if not (home / FOLD).is_file():
        if not download:
            raise _absent(home, FOLD, f"no {FOLD} there")
        _fetched(home, FOLD, progress=True)
    sources = _as_sources(name, published(home), home / FOLD)
    if (home / TEST).is_file():
        return sources
    elsewhere = f"The test sources are a file of their own: 'equiradio data fetch first' puts {TEST} (doi:{DOI}) into {home}."
    return replace(sources, elsewhere=elsewhere)


def published(home: Path) -> list[Entry]:
    """The sources of the files that lie in a folder, of each in the order of their numbers."""
    return [entry for file in FILE_MD5 if (home / file).is_file() for entry in _read(home / file)]


def house_pixels(image: np.ndarray) -> np.ndarray | None:
    """A published image uint8 (300, 300) by the recipe of this package: its centre (150, 150), from 0 to 255; None where that is blank."""
    excess = excess_of(image)
    return None if excess is None else restored(excess, CENTRE)


def excess_of(image: np.ndarray) -> np.ndarray | None:
    """Brightness above the threshold, float64 (300, 300), of which 255 is the most in the centre; None where that is blank."""
    low, high = image[CENTRE].min(), image[CENTRE].max()
    return np.maximum(image.astype(float) - low, 0) / (high - low) * TOP if high > low else None


def _as_sources(name: str, entries: list[Entry], where: Path) -> Sources:
    """Entries by the recipe and under names made of their positions; blank ones are left out."""
    pixels = [house_pixels(entry.pixels) for entry in entries]
    blank = [entry for entry, image in zip(entries, pixels, strict=True) if image is None]
    entries = [entry for entry, image in zip(entries, pixels, strict=True) if image is not None]
    if not entries:
        raise DataRefusal(where, f"no source in it, {len(blank)} blank ones aside", "sources", AGAIN)
    names = [f"first_{entry.ra_deg:07.3f}{entry.dec_deg:+07.3f}" for entry in entries]
    if twice := [one for one, count in Counter(names).items() if count > 1]:
        raise DataRefusal(where, f"{len(twice)} positions occur twice ({twice[0]})", "each source once", AGAIN)
    sources = Sources(
        name="first",
        images=np.stack([image for image in pixels if image is not None]),
        labels=np.array([entry.label for entry in entries], np.int64),
        source_ids=np.array(names),
        confidence=np.full(len(entries), "confident"),
        split=np.array([entry.split for entry in entries]),
        size_arcsec=np.full(len(entries), np.nan),
        md5=FILE_MD5[FOLD],
        classes=CLASSES,
        ra_deg=np.array([entry.ra_deg for entry in entries]),
        dec_deg=np.array([entry.dec_deg for entry in entries]),
        catalogue=np.array([entry.catalogue for entry in entries]),
        left_out=(f"first: {len(blank)} without a lit pixel ({', '.join(entry.group for entry in blank)})",) if blank else (),
    )
    if name == "first":
        return sources
    return replace(sources.only(FANAROFF_RILEY.names), name=name)


def _read(path: Path) -> list[Entry]:
    """The sources of a zipped HDF5 file whose md5 is the published one."""
    archive = _content(path)
    if (actual := _md5(archive)) != FILE_MD5[path.name]:
        raise DataRefusal(path, f"md5 is {actual}", f"{FILE_MD5[path.name]} as published (doi:{DOI})", AGAIN)
    try:
        import h5py
    except ImportError:
        do = "Install it with: pip install 'equiradio[hdf5]'."
        raise DataRefusal(path, "an HDF5 file, and h5py is not installed", "h5py", do) from None
    try:
        with h5py.File(io.BytesIO(_unpacked(archive, path)), "r") as file:
            return list(_entries(file, path))
    except DataRefusal:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise DataRefusal(path, f"cannot be read ({reason(error)})", "the published HDF5 file", AGAIN) from error


def _unpacked(archive: bytes, path: Path) -> bytes:
    """The one HDF5 file in a zip; its size is checked before it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            listed = [member for member in members.infolist() if not member.is_dir()]
            if len(listed) != 1 or not listed[0].filename.endswith(".h5") or listed[0].file_size > LARGEST_UNPACKED:
                sizes = ", ".join(f"{member.filename} of {member.file_size:,} bytes" for member in listed[:3])
                raise DataRefusal(path, f"it holds {sizes or 'nothing'}", f"one HDF5 file of up to {LARGEST_UNPACKED:,} bytes", AGAIN)
            return members.read(listed[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataRefusal(path, f"the archive breaks off or is damaged ({error})", "a whole .zip", AGAIN) from error


def _entries(file: Any, path: Path) -> Iterator[Entry]:
    """Every source of an open HDF5 file, in the order of their numbers."""
    for group in sorted(file, key=lambda name: (len(name), name)):
        image = file[group]["Img"]
        pixels, label = image[()], float(file[group]["Label_literature"][()])
        split, ra_deg, dec_deg = file[group]["Split_literature"][()].decode(), float(image.attrs["RA"]), float(image.attrs["DEC"])
        if pixels.shape != (FIELD, FIELD) or pixels.dtype != np.uint8:
            raise DataRefusal(path, f"{group} is {pixels.dtype} of shape {pixels.shape}", f"uint8 and {FIELD} x {FIELD}", AGAIN)
        if label not in range(len(CLASSES)) or split not in SPLITS:
            raise DataRefusal(path, f"{group} has label {label:g} and split {split!r}", f"0 to 3, {', '.join(SPLITS)}", AGAIN)
        if not (0 <= ra_deg <= 360 and -90 <= dec_deg <= 90):
            raise DataRefusal(path, f"{group} lies at {ra_deg}, {dec_deg}", "a position in degrees", AGAIN)
        yield Entry(group, pixels, int(label), SPLITS[split], str(image.attrs["Source"]), ra_deg, dec_deg)


def _home(folder: str | Path | None) -> Path:
    return data_folder(folder) / "first"


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        found = f"it cannot be read ({error.strerror or error})"
        raise DataRefusal(path, found, "a readable file", "Check its permissions and the disk.") from error


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _fetched(home: Path, name: str, progress: bool) -> Path:
    """A file of the record, downloaded where it is not there."""
    try:
        return retrieve(f"{RECORD}/{name}", FILE_MD5[name], home / name, progress)
    except NotFetched as error:
        raise _absent(home, name, f"no {name} there, and {error}") from None


def _absent(home: Path, name: str, found: str) -> DataRefusal:
    return DataRefusal(
        home,
        found,
        name,
        f"Put it there (from doi:{DOI}; 'equiradio data fetch first' fetches it on a machine with network), "
        f"or name the folder that holds first/ with --data-dir or {DATA}.",
    )
