"""What `equiradio classify` may write over and go on with: never an image, nor parts or a catalogue of another run."""

import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.catalogue import as_written, read_texts
from equiradio.errors import RunRefusal, SettingRefusal, refused_as
from equiradio.inference.rows import source_name
from equiradio.inference.team import Team
from equiradio.printable import printable

Options = dict[str, Any]  # of `equiradio.sky.fits.read_cutout`


class Job(TypedDict):
    """What parts are parts of: team, precision, files (how many, and the hash of their names), options and folder of maps."""

    model: str
    precision: str
    files: int
    list: str
    options: Options
    maps: str | None


JOB = "job.json"  # beside the parts: what they are parts of


def map_names(files: Sequence[Path]) -> list[str]:
    """What the maps of each file are called: like its source; where sources share a name, with the file's number behind."""
    sources = [source_name(str(file)) for file in files]
    often = Counter(sources)
    names = []
    for number, source in enumerate(sources):
        name = source
        while often[name] > (name == source):  # another source's
            name = f"{name}-{number}"
        names.append(name)
    return names


def spare_images(files: Sequence[Path], out: Path | None, maps: Path | None) -> None:
    """Refuse to write over images."""
    images = {_place(file) for file in files} | {os.path.realpath(file) for file in files}
    if out is not None and (_place(out) in images or _holds_an_image(out)):
        do = "Name the catalogue right behind --out; of a pattern like *.fits it would take the first image."
        raise SettingRefusal("--out", f"{out} is an image", "a new file, or a catalogue to replace", do)
    if maps is not None and os.path.realpath(maps) in {os.path.dirname(image) for image in images}:
        found = f"{maps} holds images that are to be classified, and maps are named like them"
        raise SettingRefusal("--maps", found, "a folder of their own", "For example --maps maps.")


def _place(path: Path) -> str:
    """The name itself in its real folder, whatever it links to: what writing would replace."""
    return os.path.join(os.path.realpath(path.parent), path.name)


def _holds_an_image(path: Path) -> bool:
    from astropy.io import fits

    if path.suffix.lower() != ".fits" or not path.is_file():
        return False
    try:
        with fits.open(path) as hdus:
            return any(hdu.is_image and hdu.header["NAXIS"] > 0 for hdu in hdus)
    except (OSError, ValueError, KeyError):
        return False


def part_file(folder: Path, number: int) -> Path:
    """One batch of rows."""
    return folder / f"{number:06d}.parquet"


def read_part(file: Path) -> pa.Table:
    """The rows of a part.

    Raises
    ------
    RunRefusal : it was damaged since it was written.
    """
    with refused_as(RunRefusal, file, "rows of a catalogue", "Delete the folder, and run the command again."), pq.ParquetFile(file) as part:
        table = part.read()
        table.validate(full=True)
        return table


def job_of(team: Team, files: Sequence[Path], maps: Path | None, options: Options) -> Job:
    """What parts are parts of."""
    listed = hashlib.sha256("\0".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()
    given = {key: value for key, value in options.items() if value is not None}
    return {
        "model": team.name,
        "precision": team.members[0].precision,
        "files": len(files),
        "list": listed,
        "options": given,
        "maps": None if maps is None else printable(os.path.realpath(maps)),
    }


def parts_done(folder: Path, job: Job, resume: bool) -> int:
    """How many parts are there already; all of them of this very run."""
    if not part_file(folder, 0).is_file():
        return 0
    if not resume:
        do = "Add --resume to go on, or delete the folder."
        raise RunRefusal(folder, "parts of an interrupted run", "none", do)
    try:
        before = json.loads((folder / JOB).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        before = None
    if before != job:
        what = ", ".join(key for key, value in job.items() if not isinstance(before, dict) or before.get(key) != value)
        raise RunRefusal(folder, f"parts of a run with another {what}", "the same", "Repeat that command, or delete the folder.")
    return next(number for number in itertools.count() if not part_file(folder, number).is_file())


def check_finished(out: Path, team: Team, files: Sequence[Path], maps: Path | None) -> None:
    """Refuse to take a catalogue for finished that is not the one asked for, or whose maps are missing."""
    texts = read_texts(out, ("file", "model", "label"))
    if texts["file"] != [as_written(printable(str(file)), out) for file in files]:
        found = f"a catalogue of {len(texts['file']):,} files that are not these {len(files):,}"
        raise RunRefusal(out, found, "one of the same files", "Name another --out, or drop --resume to replace it.")
    if others := set(texts["model"]) - {team.name}:
        found = f"answers of {min(others)}"
        raise RunRefusal(out, found, team.name, "Name another --out, or drop --resume to replace it.")
    if maps is not None:
        names = [name for name, label in zip(map_names(files), texts["label"], strict=True) if label]
        missing = sum(not (maps / f"{name}.fits").is_file() for name in names)
        if missing:
            found = f"no maps of {missing:,} of {len(names):,} sources, but {out} is finished"
            raise RunRefusal(maps, found, "all maps", "Drop --resume to classify anew.")
