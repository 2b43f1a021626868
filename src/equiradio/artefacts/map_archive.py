"""``maps.npz`` of many runs in archives beside them: ``maps-<hash>.tar``, listed with their members in ``maps.json``."""

import hashlib
import io
import os
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import numpy as np

from equiradio.artefacts.atomic import write_atomically, write_json
from equiradio.artefacts.json_files import read_json
from equiradio.artefacts.manifest import sha256_of
from equiradio.errors import RunRefusal, refused_as

INDEX = "maps.json"
ABOVE = 3  # folders above a maps.npz that may hold the index: results/runs/NAME/maps.npz
LARGEST = 9 << 20  # bytes of an archive, so that repositories and mails take it
KINDS = {"source_id": "U", "label": "iu", "maps": "u", "rotation_maps": "u", "mean_maps": "f", "mean_images": "f"}  # of dtypes
BY_SOURCE = ("source_id", "label", "maps", "rotation_maps")  # arrays with a row for each source
BLOCK = tarfile.BLOCKSIZE
CLOSING = 2 * BLOCK + tarfile.RECORDSIZE  # the most that ends a tar archive: two empty blocks, then up to a whole record
AGAIN = "Fetch the results anew, or make the maps again with scripts/make_maps.py."


class Archive(TypedDict):
    """Of the index: SHA-256 of an archive, its members and their bytes."""

    sha256: str
    members: dict[str, int]


def maps_in(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Arrays of a ``maps.npz``, all or those named: of the file where it is there, else straight from the archive that holds it.

    Raises
    ------
    RunRefusal : a file that cannot be read, or an archive of another content than its index says.
    FileNotFoundError : neither file nor archive.
    """
    holder = holder_of(path)
    if holder is None:
        raise FileNotFoundError(path)
    with refused_as(RunRefusal, path, "maps of an evaluation", "Run 'equiradio evaluate' on the run again."):
        whole = path.read_bytes() if holder == path else _member(holder.parent, Path(os.path.abspath(path)))
        with np.load(io.BytesIO(whole), allow_pickle=False) as file:  # a path may stay open where it is damaged
            arrays = {name: file[name] for name in names or file.files}
        _check_arrays(arrays)
        return arrays


def _check_arrays(arrays: dict[str, np.ndarray]) -> None:
    """Raise ValueError for arrays that do not go together."""
    for name, kinds in KINDS.items():
        if name in arrays and arrays[name].dtype.kind not in kinds:
            raise ValueError(f"{name} holds {arrays[name].dtype}")
    counts = {len(arrays[name]) for name in BY_SOURCE if name in arrays}
    if len(counts) > 1:
        raise ValueError(f"arrays of {' and '.join(map(str, sorted(counts)))} sources")
    for name in ("maps", "rotation_maps"):
        if "source_id" in arrays and name in arrays and arrays[name].ndim != 3:
            raise ValueError(f"{name} has {arrays[name].ndim} axes")


def holder_of(path: Path) -> Path | None:
    """The file that holds the maps of a run: its own ``maps.npz``, or an archive in a folder above; None where there is none."""
    if path.is_file():
        return path
    whole = Path(os.path.abspath(path))  # a relative path may have too few parents
    for folder in list(whole.parents)[1 : ABOVE + 1]:
        name = archived(folder).get(whole)
        if name is not None:
            return folder / name
    return None


def lies_in(folder: Path, name: str) -> str:
    """Where a file that is named from a folder of results lies, from there: itself, or the archive that holds it."""
    holder = holder_of(folder / name) if name.endswith(".npz") else None
    return name if holder is None else Path(os.path.relpath(holder, folder)).as_posix()


def archived(folder: Path) -> dict[Path, str]:
    """Every ``maps.npz`` in the archives of a folder of results, with the name of its archive."""
    return {folder / member: archive for archive, listed in _index(folder / INDEX).items() for member in listed["members"]}


def write_archives(folder: Path) -> list[Path]:
    """Move every ``maps.npz`` under a folder into archives, beside those that are archived already; the archives written.

    Members are in the order of their names and carry no dates, so that the same maps make the same archive.
    """
    content = {path: path.read_bytes() for path in sorted(folder.glob("*/*/maps.npz"))}
    for path in archived(folder).keys() - content.keys():
        content[path] = _member(folder, path)
    index, written = {}, []
    for paths in _shares({path: len(content[path]) for path in sorted(content)}):
        packed = _packed({path.relative_to(folder).as_posix(): content[path] for path in paths})
        digest = hashlib.sha256(packed).hexdigest()
        file = folder / f"maps-{digest[:12]}.tar"
        write_atomically(file, lambda part, packed=packed: part.write_bytes(packed))  # type: ignore[misc]
        members = {path.relative_to(folder).as_posix(): len(content[path]) for path in paths}
        index[file.name] = {"sha256": digest, "size": len(packed), "members": members}
        written.append(file)
    write_json(folder / INDEX, index)
    for path in [*content, *(old for old in folder.glob("maps-*.tar") if old not in written)]:
        path.unlink(missing_ok=True)
    return written


def _member(folder: Path, path: Path) -> bytes:
    """The content of a ``maps.npz`` in the archives of a folder of results."""
    name = archived(folder)[path]
    _verify(folder / name, _index(folder / INDEX)[name]["sha256"])
    with tarfile.open(folder / name, "r:") as archive:
        try:
            member = archive.extractfile(path.relative_to(folder).as_posix())
        except KeyError:
            member = None
        if member is None:
            raise RunRefusal(folder / name, f"no {path.relative_to(folder)} in it", f"the members that {INDEX} lists", AGAIN)
        return member.read()


def _shares(sizes: dict[Path, int]) -> list[list[Path]]:
    """Files in order, a new archive wherever the next one would make it larger than `LARGEST`; a file that is larger has its own."""
    shares: list[list[Path]] = []
    full = LARGEST
    for path, size in sizes.items():
        taken = BLOCK + -(-size // BLOCK) * BLOCK  # its header, and its content in whole blocks
        if full + taken > LARGEST:
            shares.append([])
            full = CLOSING
        shares[-1].append(path)
        full += taken
    return shares


def _packed(members: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def _index(path: Path) -> dict[str, Archive]:
    if not path.is_file():
        return {}
    return _read_index(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read_index(path: Path, changed: int) -> dict[str, Archive]:
    index: dict[str, Archive] = read_json(path, dict[str, Archive], RunRefusal, "archives of maps and their members", AGAIN)
    return index


def _verify(archive: Path, expected: str) -> None:
    if not archive.is_file():
        raise RunRefusal(archive, "no such file", f"the archive of maps that {INDEX} names", AGAIN)
    there = sha256_of(archive)
    if there != expected:
        raise RunRefusal(archive, f"sha256 {there}", f"{expected}, as {INDEX} says", AGAIN)
