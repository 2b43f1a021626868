"""MiraBest: 1,256 FIRST images of radio galaxies with Fanaroff-Riley classes, read from the published files.

The files are pickles, which can run code when they are opened. So the md5 of every file is compared with the published one first,
and the pickles are opened by a reader that knows four NumPy names and nothing else (md5 alone would not stop a forger).
"""

import hashlib
import io
import pickle
import re
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from equiradio.datasets.fetching import NotFetched, retrieve
from equiradio.datasets.sources import Check, Sources
from equiradio.datasets.splits import frozen_split
from equiradio.errors import DataRefusal, nearest
from equiradio.folders import DATA, data_folder
from equiradio.labels import UNKNOWN
from equiradio.sky.recipe import MIRABEST

DOI = "10.5281/zenodo.4288837"
URL = "https://zenodo.org/records/4288837/files/MiraBest_full_batches.tar.gz"
LICENCE = "CC-BY-4.0"
ARCHIVE = "MiraBest_full_batches.tar.gz"
ARCHIVE_MD5 = "965b5daa83b9d8622bb407d718eecb51"
FILE_MD5 = {
    "data_batch_1": "b15ae155301f316fc0b51af16b3c540d",
    "data_batch_2": "0bf52cc1b47da591ed64127bab6df49e",
    "data_batch_3": "98908045de6695c7b586d0bd90d78893",
    "data_batch_4": "ec9b9b77dc019710faf1ad23f1a58a60",
    "data_batch_5": "5190632a50830e5ec30de2973cc6b2e1",
    "data_batch_6": "b7113d89ddd33dd179bf64cb578be78e",
    "data_batch_7": "626c866b7610bfd08ac94ca3a17d02a1",
    "test_batch": "5e443302dbdf3c2003d68ff9ac95f08c",
    "batches.meta": "e1b5450577209e583bc43fbf8e851965",
}
BATCHES = [name for name in FILE_MD5 if name != "batches.meta"]
DIGITS = ("100", "102", "104", "110", "112", "200", "201", "210", "300", "310")  # of the pickles' labels 0..9
DATASETS = {
    "mirabest": "MiraBest, FRI and FRII: 856 train, 213 validation, 153 test",
    "mirabest-confident": "the sources with a confident label: 584, 145, 104",
    "mirabest-uncertain": "the sources with an uncertain label: 272, 68, 49",
    "mirabest-hybrid": "the hybrid sources, neither FRI nor FRII: 30 train, 4 test",
}
SIDE = MIRABEST.side
LARGEST = 8 << 20  # bytes; the largest published file has 3.6 million
AGAIN = "Fetch it again with 'equiradio data fetch mirabest'."
NAME = re.compile(r"(?P<digits>\d{3})_(?P<ra>\d{3}\.\d{3})(?P<dec>[+-]\d{3}\.\d{3})_(?P<redshift>\d\.\d{4})_(?P<size>\d{4}\.\d{2})")
ADMITTED = {  # a name in the published pickles -> the module that holds it since NumPy 2
    ("numpy.core.multiarray", "_reconstruct"): "numpy._core.multiarray",
    ("numpy.core.multiarray", "scalar"): "numpy._core.multiarray",
    ("numpy", "ndarray"): "numpy",
    ("numpy", "dtype"): "numpy",
}


class RestrictedUnpickler(pickle.Unpickler):
    """Reads the published pickles; any global but the four of ``ADMITTED`` is refused before it is imported or called."""

    def __init__(self, content: bytes, where: object) -> None:
        super().__init__(io.BytesIO(content))
        self.where = where

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise DataRefusal(self.where, f"the pickle asks for {module}.{name}", "NumPy arrays alone", "Do not open it. " + AGAIN)
        return super().find_class(ADMITTED[module, name], name)


def find_mirabest(folder: str | Path | None = None) -> Path | None:
    """The archive, or the folder of its unpacked files, under a data folder; None where there is neither."""
    home = data_folder(folder) / "mirabest"
    if (home / ARCHIVE).is_file():
        return home / ARCHIVE
    return next((place for place in (home / "batches", home) if (place / BATCHES[0]).is_file()), None)


def where(folder: str | Path | None = None) -> str:
    """Where it lies, in words."""
    return str(find_mirabest(folder) or "not here; fetch it")


def fetch(folder: str | Path | None = None, progress: bool = True) -> Path:
    """Download the archive into ``<folder>/mirabest``, unless it is there with the published md5; returns its path.

    The file takes its name only after its md5 was found right, so an interrupted download leaves no half file behind.
    """
    home = data_folder(folder) / "mirabest"
    try:
        return retrieve(URL, ARCHIVE_MD5, home / ARCHIVE, progress)
    except NotFetched as error:
        raise _absent(home, f"no MiraBest there, and {error}") from None


def verify(folder: str | Path | None = None) -> list[Check]:
    """Compare every file with its published md5, the archive first; an archive with another md5 is not opened."""
    place = find_mirabest(folder)
    if place is None:
        raise _absent(data_folder(folder) / "mirabest", "no MiraBest there")
    return _inspect(place)[0]


def sky_positions(source_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right ascension and declination (ICRS, degrees, float64 (count,)) that MiraBest's names hold; read here alone."""
    parts = [_parts(str(source_id), "source") for source_id in source_ids]
    return np.array([float(part["ra"]) for part in parts]), np.array([float(part["dec"]) for part in parts])


def read_mirabest(folder: str | Path | None = None, download: bool = True) -> Sources:
    """All 1,256 sources in the order of the archive, with the published split alone ("train" or "test")."""
    place = find_mirabest(folder)
    if place is None and not download:
        raise _absent(data_folder(folder) / "mirabest", "no MiraBest there")
    place = place or fetch(folder)
    checks, contents = _inspect(place)
    for check in checks:
        if check.actual != check.expected:
            where = place if check.file == ARCHIVE else place / check.file
            raise DataRefusal(where, f"md5 is {check.actual}", f"{check.expected} as published (doi:{DOI})", AGAIN)
    batches = [_read_batch(contents[name], place / name) for name in BATCHES]
    parts = [part for _, names in batches for part in names]
    digits, source_ids = [part["digits"] for part in parts], np.array([part[0] for part in parts])
    ra_deg, dec_deg = sky_positions(source_ids)
    return Sources(
        name="mirabest",
        images=np.concatenate([images for images, _ in batches]),
        labels=np.array([{"1": 0, "2": 1, "3": UNKNOWN}[code[0]] for code in digits], dtype=np.int64),
        source_ids=source_ids,
        confidence=np.array(["confident" if code[1] == "0" else "uncertain" for code in digits]),
        split=np.repeat(["test" if name == "test_batch" else "train" for name in BATCHES], [len(names) for _, names in batches]),
        size_arcsec=np.array([float(part["size"]) for part in parts]),
        md5=ARCHIVE_MD5,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        catalogue=np.full(len(digits), "MiraBest"),
    )


def load(name: str = "mirabest", folder: str | Path | None = None, download: bool = True) -> Sources:
    """A subset of MiraBest with this package's frozen train/validation split.

    Parameters
    ----------
    name : one of ``DATASETS``.
    folder : data folder; see :func:`equiradio.folders.data_folder`.
    download : fetch the archive where it is absent.

    Raises
    ------
    DataRefusal
        If the name is unknown, or the files are absent, damaged or not the published ones.

    Source: doi:10.5281/zenodo.4288837, CC BY 4.0.
    """
    if name not in DATASETS:
        raise DataRefusal("data", f"{name} is not a subset of MiraBest", f"one of {', '.join(DATASETS)}", nearest(name, list(DATASETS)))
    everything = read_mirabest(folder, download)
    hybrid = everything.labels == UNKNOWN
    wanted = {
        "mirabest": ~hybrid,
        "mirabest-confident": ~hybrid & (everything.confidence == "confident"),
        "mirabest-uncertain": ~hybrid & (everything.confidence == "uncertain"),
        "mirabest-hybrid": hybrid,
    }[name]
    training = ~hybrid & (everything.split == "train")
    split = everything.split.astype("<U10")
    frozen = frozen_split()
    split[training] = [frozen[source_id] for source_id in everything.source_ids[training]]
    return replace(everything, name=name, split=split).choose(wanted)


def _inspect(place: Path) -> tuple[list[Check], dict[str, bytes]]:
    """The check of every file, and the files' bytes, each read once so that what is checked is what is opened."""
    try:
        if place.is_file():
            archive = _head(place)
            checks = [Check(ARCHIVE, ARCHIVE_MD5, _md5(archive))]
            if checks[0].actual != ARCHIVE_MD5:
                return checks, {}
            contents = _unpack(archive, place)
        else:
            checks, contents = [], {name: _head(place / name) for name in FILE_MD5 if (place / name).is_file()}
    except OSError as error:
        raise DataRefusal(
            place, f"it cannot be read ({error.strerror or error})", "a readable file", "Check its permissions and the disk."
        ) from error
    return checks + [Check(name, md5, _md5(contents.get(name))) for name, md5 in FILE_MD5.items()], contents


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _md5(content: bytes | None) -> str:
    if content is None:
        return "missing"
    if len(content) > LARGEST:
        return f"not taken (more than {LARGEST:,} bytes)"
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _unpack(archive: bytes, where: Path) -> dict[str, bytes]:
    """The archive's files in memory; nothing is written, and a member that the published archive lacks is refused."""
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
            for member in members:
                folder, _, name = member.name.partition("/")
                if member.isdir() and member.name == "batches":
                    continue
                if not (member.isreg() and folder == "batches" and name in FILE_MD5 and member.size <= LARGEST):
                    kind = "a link" if member.islnk() or member.issym() else f"{member.size:,} bytes"
                    expected = f"only batches/{BATCHES[0]} to batches/test_batch and batches/batches.meta"
                    raise DataRefusal(where, f"it holds {member.name!r} ({kind})", expected, "Do not unpack it. " + AGAIN)
                contents[name] = members.extractfile(member).read()  # type: ignore[union-attr]  # None only for what is no file
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataRefusal(where, f"the archive breaks off or is damaged ({error})", "a whole .tar.gz", AGAIN) from error
    return contents


def _read_batch(content: bytes, where: Path) -> tuple[np.ndarray, list[re.Match[str]]]:
    """Images (count, 150, 150) and the matched names of one batch, whose labels must agree with its names."""
    try:
        batch = RestrictedUnpickler(content, where).load()
        images, labels, names = np.stack(batch["data"]), list(batch["labels"]), [Path(str(name)).stem for name in batch["filenames"]]
    except DataRefusal:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise DataRefusal(where, f"no batch of MiraBest ({type(error).__name__})", "data, labels and filenames", AGAIN) from error
    if images.dtype != np.uint8 or images.shape != (len(names), SIDE, SIDE) or len(labels) != len(names):
        found = f"{len(names)} names, {len(labels)} labels, {images.dtype} images of shape {images.shape}"
        raise DataRefusal(where, found, f"as many of each, uint8 and {SIDE} x {SIDE}", AGAIN)
    parts = [_parts(name, where) for name in names]
    for label, part in zip(labels, parts, strict=True):
        if label not in range(len(DIGITS)) or DIGITS[label] != part["digits"]:
            raise DataRefusal(where, f"{part[0]} has label {label}", f"the label of class {part['digits']}", AGAIN)
    return images, parts


def _parts(name: str, where: object) -> re.Match[str]:
    match = NAME.fullmatch(name)
    if match is None:
        raise DataRefusal(where, f"name {name}", "class_position_redshift_size", AGAIN)
    return match


def _absent(home: Path, found: str) -> DataRefusal:
    return DataRefusal(
        home,
        found,
        f"{ARCHIVE} or its unpacked batches/",
        f"Put the archive there (from doi:{DOI}; 'equiradio data fetch mirabest' fetches it on a machine with network), "
        f"or name the folder that holds mirabest/ with --data-dir or {DATA}.",
    )
