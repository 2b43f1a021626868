"""What `equiradio classify` may write over and go on with: never an image, nor parts, maps or a catalogue of another run."""

import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import named, write_json
from equiradio.artefacts.job import JOB, content_hash, file_stamps, fingerprint, plain_job, read_job, refuse_other
from equiradio.artefacts.provenance import COMPUTED, computers_of
from equiradio.artefacts.tables import write_table
from equiradio.errors import RunRefusal, SettingRefusal
from equiradio.inference.reading import BATCH, Classifier, job_of_team
from equiradio.inference.rows import source_name
from equiradio.printable import printable
from equiradio.sky.cutout import MAX_NONFINITE
from equiradio.verbs.suspects import DEATHS
from equiradio.version import version

Options = dict[str, Any]  # of `equiradio.sky.fits.read_cutout`
DEFAULTS: Options = {"hdu": None, "plane": None, "ra_deg": None, "dec_deg": None, "max_nonfinite": MAX_NONFINITE, "beam": None}
BORN = b"job"  # key of a part's metadata: the fingerprint of its job and files
ANEW = "Drop --resume to classify anew, or name another --out."
MAP_SUFFIXES = (".fits", ".png", ".reg")


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
    real = cache(os.path.realpath)  # of folders, which many files share
    places = {_place(file, real) for file in files}
    images = places | {os.path.realpath(place) for place in places if os.path.islink(place)}
    if out is not None and (_place(out) in images or _holds_an_image(out)):
        do = "Name the catalogue right behind --out; of a pattern like *.fits it would take the first image."
        raise SettingRefusal("--out", f"{out} is an image", "a new file, or a catalogue to replace", do)
    if maps is not None and os.path.realpath(maps) in {os.path.dirname(image) for image in images}:
        found = f"{maps} holds images that are to be classified, and maps are named like them"
        raise SettingRefusal("--maps", found, "a folder of their own", "For example --maps maps.")


def _place(path: Path, real: Callable[[Path], str] = os.path.realpath) -> str:
    """The name itself in its real folder, whatever it links to: what writing would replace. ``real`` follows the folder's links."""
    return os.path.join(real(path.parent), path.name)


def _holds_an_image(path: Path) -> bool:
    from astropy.io import fits

    if path.suffix.lower() != ".fits" or not path.is_file():
        return False
    with warnings.catch_warnings(), suppress(Exception):  # what cannot be read is no image to be spared
        warnings.simplefilter("ignore")
        with fits.open(path) as hdus:
            return any(hdu.is_image and hdu.header["NAXIS"] > 0 for hdu in hdus)
    return False


@dataclass(frozen=True)
class Job:
    """What rows and maps are of: ``about`` team, options and names of files, and a stamp of what each file holds."""

    about: dict[str, Any]
    stamps: list[str]

    def of_part(self, number: int) -> str:
        """Fingerprint of what a part is of: everything but the other files' contents."""
        return fingerprint(self.about, self.stamps[number * BATCH : (number + 1) * BATCH])

    def whole(self) -> dict[str, Any]:
        """What a finished catalogue is of."""
        return self.about | {"contents": fingerprint(self.stamps)}


def job_of(team: Classifier, files: Sequence[Path], maps: Path | None, features: Path | None, options: Options, *, contents: bool) -> Job:
    """The job of these files; ``contents`` has them known by a hash of their content, not by size and time."""
    resolved = DEFAULTS | {key: value for key, value in options.items() if value is not None}
    about = {
        "version": version(),
        **job_of_team(team),
        "files": len(files),
        "names": fingerprint([os.fsencode(file).hex() for file in files]),
        "hash": contents,
        **resolved,
        "maps": None if maps is None else printable(os.path.realpath(maps)),
        "features": None if features is None else printable(os.path.realpath(features)),
    }
    return Job(plain_job(about), file_stamps(files, contents=contents))


class Parts:
    """The folder of parts beside a catalogue that is being written: batches of rows, each with what it is of."""

    def __init__(self, out: Path, job: Job) -> None:
        self.out, self.folder, self.job = out, out.with_name(out.name + ".parts"), job
        self.count = -(-len(job.stamps) // BATCH)

    def file(self, number: int) -> Path:
        """One batch of rows."""
        return self.folder / f"{number:06d}.parquet"

    def any(self) -> bool:
        """Has an interrupted run left some?"""
        return any(self.folder.glob("[0-9]*.parquet"))

    def begin(self, resume: bool) -> None:
        """Refuse parts of another run, and any where ``resume`` is off."""
        if self.any():
            if not resume:
                raise RunRefusal(self.folder, "parts of an interrupted run", "none", "Add --resume to go on, or delete the folder.")
            do = "Repeat that command, or delete the folder."
            refuse_other(self.folder, read_job(self.folder / JOB), self.job.about, "parts of a run", do)
        elif not resume:
            shutil.rmtree(self.folder, ignore_errors=True)
        write_json(self.folder / JOB, self.job.about)

    def to_do(self) -> list[int]:
        """The parts that are not there, damaged, or of files that were changed since."""
        return [number for number in range(self.count) if not self._is_done(number)]

    def _is_done(self, number: int) -> bool:
        try:
            table = self._read(number)
        except Exception:  # pyarrow meets damage in dozens of ways; such a part is made anew
            return False
        return (table.schema.metadata or {}).get(BORN, b"").decode() == self.job.of_part(number)

    def _read(self, number: int) -> pa.Table:
        with pq.ParquetFile(self.file(number), page_checksum_verification=True) as file:
            return file.read()

    def add(self, number: int, table: pa.Table) -> None:
        """Keep one batch of rows."""
        bearing = {**(table.schema.metadata or {}), BORN: self.job.of_part(number).encode()}
        write_table(table.replace_schema_metadata(bearing), self.file(number))

    def tables(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """All of them in order."""
        return (self._read(number).replace_schema_metadata(schema.metadata) for number in range(self.count))

    def computers(self) -> list[str]:
        """What computed them."""
        return computers_of(pq.read_schema(self.file(number)) for number in range(self.count))

    def drop_empty(self) -> None:
        """Remove the folder where nothing was begun in it and no file ended a run."""
        if not (self.folder / DEATHS).exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self, answered: int, computers: Sequence[str]) -> None:
        """Say beside the finished catalogue what it is of, and remove the parts."""
        facts = {"answered": answered, COMPUTED: list(computers), "sha256": content_hash(self.out)}
        write_json(job_file(self.out), self.job.whole() | facts)
        shutil.rmtree(self.folder)


def job_file(out: Path) -> Path:
    """Beside a finished catalogue: what it is of."""
    return out.with_name(f"{out.name}.{JOB}")


def several_computers(out: Path) -> list[str]:
    """What computed the parts of a finished catalogue, where these are several."""
    there = (read_job(job_file(out)) or {}).get(COMPUTED)
    return [str(each) for each in there] if isinstance(there, list) and len(there) > 1 else []


def is_finished(parts: Parts, files: Sequence[Path], maps: Path | None, features: Path | None = None) -> bool:
    """Is the catalogue there, whole and of this job?

    Raises
    ------
    RunRefusal : it is there without parts, and is not the one asked for; or its maps or features are missing.
    """
    out, job = parts.out, read_job(job_file(parts.out))
    if not out.is_file() or (parts.any() and not _agrees(out, job, parts.job)):
        return False
    if job is None or type(job.get("answered")) is not int:
        raise RunRefusal(out, f"finished, but {job_file(out).name} does not say of what", "the file beside it that does", ANEW)
    refuse_other(out, job, parts.job.whole(), "a catalogue", ANEW)
    if job.get("sha256") != content_hash(out):
        raise RunRefusal(out, "changed since it was written", "the catalogue that was written", ANEW)
    if features is not None and not features.is_file():
        raise RunRefusal(features, f"no such file, but {out} is finished", "the features written with it", ANEW)
    if maps is not None:
        check_maps(maps, parts.job)
        there = sum((maps / f"{name}.fits").is_file() for name in map_names(files))
        if there < job.get("answered", 0):
            found = f"no maps of {job['answered'] - there:,} of {job['answered']:,} sources, but {out} is finished"
            raise RunRefusal(maps, found, "all maps", ANEW)
    return True


def _agrees(out: Path, job: dict[str, Any] | None, asked: Job) -> bool:
    return job is not None and job.items() >= asked.whole().items() and job.get("sha256") == content_hash(out)


def begin_maps(maps: Path, job: Job, going_on: bool) -> None:
    """Say in the folder of maps what they are of; refuse to go on with those of another run."""
    if going_on:
        check_maps(maps, job)
    write_json(maps / JOB, job.about)


def check_maps(maps: Path, job: Job) -> None:
    """Refuse a folder that another run has written maps into since."""
    refuse_other(maps, read_job(maps / JOB), job.about, "maps of a run", ANEW)


def drop_maps(maps: Path, name: str) -> None:
    """Remove maps that an earlier run left of a source that has no answer now."""
    for suffix in MAP_SUFFIXES:
        with named(maps):
            (maps / f"{name}{suffix}").unlink(missing_ok=True)
